import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { applyHomography, centroid, type Homography, type Point } from '../../base/geometry.js';
import { BerthwatchError } from '../../base/errors.js';
import { program } from '../../base/program-root.js';
import { SiteSchema, type Site } from '../config/site.js';
import { openShare, seenFrom, type Visibility } from './hidden.js';

const PointSchema = z.tuple([z.number(), z.number()]);

/** The part of a scene's truth file that the demo needs; `test/scenes/README.md` describes all of it. */
const TruthSchema = z.object({
  clip: z.string(),
  codec: z.enum(['h264', 'h265']),
  fps: z.number(),
  width: z.number(),
  height: z.number(),
  frames: z.number(),
  light: z.string(),
  camera: z.object({ homography: z.array(z.array(z.number()).length(3)).length(3) }),
  berths: z.array(
    z.object({
      id: z.string(),
      number: z.string(),
      kind: z.enum(['parallel', 'perpendicular', 'angled']),
      polygon: z.tuple([PointSchema, PointSchema, PointSchema, PointSchema]),
      ground: z.array(PointSchema),
      lengthM: z.number(),
      widthM: z.number(),
      drivingDirection: PointSchema,
    }),
  ),
  vehicles: z.array(z.object({ id: z.string(), plate: z.object({ text: z.string(), colour: z.string() }).nullable() })),
  visits: z.array(z.object({ berth: z.string(), vehicle: z.string(), enteredFrame: z.number().nullable(), leftFrame: z.number().nullable() })),
});

/** One line of a scene's frames file. */
const FrameSchema = z.object({ f: z.number(), vehicles: z.array(z.object({ id: z.string(), box: z.tuple([z.number(), z.number(), z.number(), z.number()]), visible: z.number() })) });

/** A visit of the scenario, with the pictures from which its enter and leave can be seen (`seenFrom`). */
export type SceneVisit = z.output<typeof TruthSchema>['visits'][number] & {
  enterSeenFrame: number | null;
  leaveSeenFrame: number | null;
  /** From which picture on the vehicle, and the place where it parks, can be seen by who looks from picture `frame` on. */
  vehicleClearFrom: (frame: number) => number;
  berthClearFrom: (frame: number) => number;
};
export type SceneTruth = Omit<z.output<typeof TruthSchema>, 'visits'> & { visits: SceneVisit[] };

/** A scene with the camera that shows it. */
export interface Scene {
  truth: SceneTruth;
  clipFile: string;
  cameraId: string;
  deviceId: string;
  transport: 'udp' | 'tcp-passive';
  lotCode: string;
}

const SCENES = [
  {
    name: 'day-parallel',
    transport: 'udp',
    cameraId: 'xianggang-middle-1',
    deviceId: '37020200001320000001',
    deviceNumber: 'QD-GW-0001',
    cameraName: '香港中路 1 号高位视频',
    lotCode: '370202HZ001',
    lotName: '香港中路路侧停车场',
    roadSection: '香港中路',
    direction: '由东向西',
    timeLimitMinutes: 120,
  },
  {
    name: 'dusk-angled',
    transport: 'tcp-passive',
    cameraId: 'minjiang-2',
    deviceId: '37020200001320000002',
    deviceNumber: 'QD-GW-0002',
    cameraName: '闽江路 2 号高位视频',
    lotCode: '370202MJ002',
    lotName: '闽江路路侧停车场',
    roadSection: '闽江路',
    direction: '由南向北',
    timeLimitMinutes: null,
  },
] as const;

function sceneFolder(): string {
  return join(program.root, 'test', 'fixtures', 'scenes');
}

/** The demo's scenes. @throws BerthwatchError not-found when a clip is missing from the checkout */
export function readScenes(): Scene[] {
  return SCENES.map((scene) => {
    const clipFile = join(sceneFolder(), `${scene.name}.mp4`);
    const truthFile = join(sceneFolder(), `${scene.name}.truth.json`);
    const framesFile = join(sceneFolder(), `${scene.name}.frames.jsonl.gz`);
    for (const file of [clipFile, truthFile, framesFile]) {
      if (!existsSync(file)) throw new BerthwatchError('not-found', 'DEMO_SCENE', `${file} is missing; the demo's clips come with the repository (test/scenes/README.md says how they are rendered)`);
    }
    const truth = withHidden(TruthSchema.parse(JSON.parse(readFileSync(truthFile, 'utf8'))), framesFile);
    return { truth, clipFile, cameraId: scene.cameraId, deviceId: scene.deviceId, transport: scene.transport, lotCode: scene.lotCode };
  });
}

function withHidden(truth: z.output<typeof TruthSchema>, framesFile: string): SceneTruth {
  const frames = new Map<number, z.output<typeof FrameSchema>['vehicles']>();
  for (const line of gunzipSync(readFileSync(framesFile)).toString('utf8').split('\n')) {
    if (line === '') continue;
    const { f, vehicles } = FrameSchema.parse(JSON.parse(line));
    frames.set(f, vehicles);
  }
  const vehicleAt = (id: string, frame: number): z.output<typeof FrameSchema>['vehicles'][number] | undefined => frames.get(frame)?.find((vehicle) => vehicle.id === id);
  const from = (frame: number, visible: Visibility): number => seenFrom(frame, truth.fps, truth.frames, visible);
  const seen = (frame: number | null, visible: Visibility): number | null => (frame === null ? null : from(frame, visible));
  return {
    ...truth,
    visits: truth.visits.map((visit) => {
      const visible: Visibility = (f) => vehicleAt(visit.vehicle, f)?.visible ?? 0;
      const parked = vehicleAt(visit.vehicle, visit.enteredFrame ?? 0)?.box;
      const open: Visibility = (f) => (parked ? openShare(parked, (frames.get(f) ?? []).filter(({ id }) => id !== visit.vehicle).map(({ box }) => box)) : 1);
      return {
        ...visit,
        enterSeenFrame: seen(visit.enteredFrame, visible),
        leaveSeenFrame: seen(visit.leftFrame, visible),
        vehicleClearFrom: (frame: number) => from(frame, visible),
        berthClearFrom: (frame: number) => from(frame, open),
      };
    }),
  };
}

/** The site file of the demo: one lot a road section, so that its berth counts depend on one camera alone. */
export function demoSite(scenes: readonly Scene[], devicePassword: string): Site {
  return SiteSchema.parse({
    lots: SCENES.map((scene) => ({ code: scene.lotCode, name: scene.lotName, tariff: { freeMinutes: 0, unitMinutes: 30, unitFen: 200, dayCapFen: 3000 } })),
    cameras: scenes.map((scene, i) => {
      const text = SCENES[i] as (typeof SCENES)[number];
      return {
        id: scene.cameraId,
        name: text.cameraName,
        deviceNumber: text.deviceNumber,
        gb28181: { deviceId: scene.deviceId, channelId: scene.deviceId, password: devicePassword, transport: scene.transport },
        lot: scene.lotCode,
        roadSection: text.roadSection,
        direction: text.direction,
        width: scene.truth.width,
        height: scene.truth.height,
        berths: scene.truth.berths.map((berth) => ({
          id: berth.id,
          number: berth.number,
          kind: berth.kind,
          polygon: berth.polygon,
          lengthM: berth.lengthM,
          widthM: berth.widthM,
          drivingDirection: directionInPicture(scene.truth, berth),
          timeLimitMinutes: text.timeLimitMinutes,
        })),
      };
    }),
  });
}

/** Truth gives the driving direction in ground metres; a site gives it in the picture. */
function directionInPicture(truth: SceneTruth, berth: SceneTruth['berths'][number]): Point {
  const h = truth.camera.homography.flat() as unknown as Homography;
  const centre = centroid(berth.ground);
  const from = applyHomography(h, centre);
  const to = applyHomography(h, [centre[0] + berth.drivingDirection[0], centre[1] + berth.drivingDirection[1]]);
  return [to[0] - from[0], to[1] - from[1]];
}
