import { z } from 'zod';
import { MEDIA_TRANSPORTS } from '../../ingest/media/media-transport.js';
import { area, boxPolygon, overlapArea, type Point, type Quad } from '../../base/geometry.js';
import type { Berth, CameraSite } from '../../parking/model/berth.js';
import { AnalysisSchema } from './analysis-windows.js';
import { CAMERA_KINDS, heightProblem, LocationSchema, StreamsSchema } from './camera-model.js';
import { DeviceQuirksSchema } from './device-quirks.js';
import { durationText, gbId, sizeText } from './value-types.js';
import { MediaKeys } from './media-keys.js';

/** A berth at the picture's edge may be cut by it, but not by more than this leaves. */
const LEAST_VISIBLE = 2 / 3;

const PointSchema = z.tuple([z.number(), z.number()]);

export const BerthSchema = z
  .strictObject({
    id: z.string().regex(/^[\w-]{1,32}$/, 'letters, digits, "_" and "-", at most 32'),
    /** Number painted on the road. */
    number: z.string().min(1).max(16),
    kind: z.enum(['parallel', 'perpendicular', 'angled']),
    /** Corners of the ground rectangle in the picture: front-left, front-right, rear-right, rear-left in the driving direction. */
    polygon: z.tuple([PointSchema, PointSchema, PointSchema, PointSchema]),
    lengthM: z.number().min(1).max(30),
    widthM: z.number().min(1).max(10),
    /** Along which traffic beside the berth drives, in the picture; any length. */
    drivingDirection: PointSchema.refine(([x, y]) => Math.hypot(x, y) > 0, 'must not be [0, 0]'),
    timeLimitMinutes: z.int().min(1).nullable().prefault(null),
    specialUse: z.string().max(64).nullable().prefault(null),
  })
  .refine((berth) => area(berth.polygon) >= 400, { path: ['polygon'], message: 'encloses less than 400 square pixels: are its corners in order?' });

const rtspUrl = z
  .url({ protocol: /^rtsp$/, error: 'must be an address like rtsp://192.0.2.5:554/stream1' })
  .refine((url) => URL.canParse(url) && new URL(url).username === '' && new URL(url).password === '', 'must not hold user or password: write them into rtsp.user and rtsp.password');

/** Why a berth cannot be seen in a camera's picture; null where it can. */
export function outsideProblem(polygon: Quad, { width, height }: { width: number; height: number }): string | null {
  const inside = overlapArea(polygon, boxPolygon({ x: 0, y: 0, width, height })) / area(polygon);
  return inside < LEAST_VISIBLE ? `lies outside the picture of ${width}×${height} by more than a third` : null;
}

/** An RTSP camera. User and password have their own keys, so that they can be left out of exports and logs. */
const RtspSchema = z.strictObject({
  url: rtspUrl,
  /** The sub stream; needed where `streams` uses it. */
  subUrl: rtspUrl.nullable().prefault(null),
  user: z.string().min(1).nullable().prefault(null),
  password: z.string().nullable().prefault(null),
  transport: z.enum(['tcp', 'udp']).prefault('tcp'),
});

export const CameraSchema = z
  .strictObject({
    id: z.string().regex(/^[\w-]{1,64}$/, 'letters, digits, "_" and "-", at most 64'),
    name: z.string().min(1).max(64),
    /** 设备编号, printed on evidence. */
    deviceNumber: z.string().min(1).max(64),
    kind: z.enum(CAMERA_KINDS).prefault('high-position'),
    /** False: nothing is taken in from it; what its footage already holds is still analysed, and its visits stay. */
    enabled: z.boolean().prefault(true),
    gb28181: z
      .strictObject({
        deviceId: gbId,
        channelId: gbId,
        password: z.string().min(1).nullable().prefault(null),
        transport: z.enum(MEDIA_TRANSPORTS).prefault('tcp-passive'),
        ...MediaKeys,
        quirks: DeviceQuirksSchema.optional(),
      })
      .nullable()
      .prefault(null),
    rtsp: RtspSchema.nullable().prefault(null),
    /** Sound goes into the footage where the camera sends it. */
    audio: z.boolean().prefault(true),
    streams: StreamsSchema.prefault({}),
    analysis: AnalysisSchema.prefault({}),
    /** How long its footage is kept, and how much of it; null: as `footage` in the configuration says. */
    retention: durationText.nullable().prefault(null),
    quota: sizeText.nullable().prefault(null),
    lot: z.string(),
    roadSection: z.string().min(1).max(64),
    /** 拍摄方向, printed on evidence. */
    direction: z.string().min(1).max(32),
    /** Metres above the road. */
    mountingHeightM: z.number().nullable().prefault(null),
    location: LocationSchema.nullable().prefault(null),
    manufacturer: z.string().max(64).nullable().prefault(null),
    model: z.string().max(64).nullable().prefault(null),
    /** For the people who look after it. */
    notes: z.string().max(500).nullable().prefault(null),
    /** Picture size that the polygons refer to. */
    width: z.int().min(160).max(8192),
    height: z.int().min(120).max(8192),
    berths: z.array(BerthSchema).min(1).max(64),
  })
  .superRefine((camera, context) => {
    if (camera.gb28181 && camera.rtsp) context.addIssue({ code: 'custom', path: ['rtsp'], message: 'a camera is taken in by gb28181 or by rtsp, not by both' });
    if (camera.rtsp && camera.rtsp.subUrl === null && camera.streams.record !== 'main') context.addIssue({ code: 'custom', path: ['rtsp', 'subUrl'], message: `must be given: streams.record is ${camera.streams.record}` });
    const height = camera.mountingHeightM === null ? null : heightProblem(camera.kind, camera.mountingHeightM);
    if (height !== null) context.addIssue({ code: 'custom', path: ['mountingHeightM'], message: height });
    camera.berths.forEach((berth, i) => {
      const problem = outsideProblem(berth.polygon, camera);
      if (problem !== null) context.addIssue({ code: 'custom', path: ['berths', i, 'polygon'], message: problem });
    });
  });

export const LotSchema = z.strictObject({
  /** 停车场编号. */
  code: z.string().regex(/^[A-Za-z0-9]{1,30}$/, 'letters and digits, at most 30 (it begins every uid)'),
  name: z.string().min(1).max(64),
  /** Fee in fen; null: free of charge. */
  tariff: z
    .strictObject({
      freeMinutes: z.int().min(0).prefault(0),
      unitMinutes: z.int().min(1),
      unitFen: z.int().min(0),
      dayCapFen: z.int().min(0).nullable().prefault(null),
    })
    .nullable()
    .prefault(null),
});

/** As much of a site as is known of one that has other faults. */
export interface SiteOutline {
  lots: readonly { code?: string | undefined }[];
  cameras: readonly {
    id?: string | undefined;
    lot?: string | undefined;
    gb28181?: { deviceId?: string | undefined; channelId?: string | undefined } | null | undefined;
    berths: readonly { id?: string | undefined; number?: string | undefined }[];
  }[];
}

/** What is wrong between the parts of a site: things given twice, lots that are not there. */
export function siteIssues(site: SiteOutline): { path: (string | number)[]; message: string }[] {
  const issues: { path: (string | number)[]; message: string }[] = [];
  const lots = new Set(site.lots.map((lot) => lot.code));
  const seen = new Set<string>();
  const once = (kind: string, id: string | undefined, path: (string | number)[]): void => {
    if (id === undefined) return;
    const key = `${kind} ${id}`;
    if (seen.has(key)) issues.push({ path, message: `the ${key} is given twice` });
    seen.add(key);
  };
  site.lots.forEach((lot, i) => once('lot', lot.code, ['lots', i, 'code']));
  site.cameras.forEach((camera, i) => {
    once('camera', camera.id, ['cameras', i, 'id']);
    if (camera.gb28181?.deviceId !== undefined) once('GB channel', `${camera.gb28181.deviceId}/${camera.gb28181.channelId ?? ''}`, ['cameras', i, 'gb28181']);
    if (camera.lot !== undefined && !lots.has(camera.lot)) issues.push({ path: ['cameras', i, 'lot'], message: `there is no lot "${camera.lot}"` });
    camera.berths.forEach((berth, j) => {
      once('berth', berth.id, ['cameras', i, 'berths', j, 'id']);
      if (berth.number !== undefined) once('berth number', `${camera.lot ?? ''}/${berth.number}`, ['cameras', i, 'berths', j, 'number']);
    });
  });
  return issues;
}

/** A site file: lots, cameras and their berths. */
export const SiteSchema = z
  .strictObject({ lots: z.array(LotSchema).min(1), cameras: z.array(CameraSchema) })
  .superRefine((site, context) => {
    for (const { path, message } of siteIssues(site)) context.addIssue({ code: 'custom', path, message });
  });

export type Site = z.output<typeof SiteSchema>;
export type SiteCamera = Site['cameras'][number];
export type Lot = Site['lots'][number];

/** What concerns the streams taken from a camera: where it stays the same, a changed site leaves them running. */
export function intakeKey(camera: SiteCamera): string {
  const { enabled, gb28181, rtsp, streams, audio } = camera;
  return JSON.stringify({ enabled, gb28181, rtsp, streams, audio });
}

/** The site for eyes that need no passwords. */
export function withoutPasswords(site: Site): Site {
  return { ...site, cameras: site.cameras.map((camera) => ({ ...camera, gb28181: camera.gb28181 && { ...camera.gb28181, password: null }, rtsp: camera.rtsp && { ...camera.rtsp, password: null } })) };
}

/** What parking knows of a camera. */
export function cameraSite(camera: SiteCamera): CameraSite {
  return { cameraId: camera.id, width: camera.width, height: camera.height, berths: camera.berths.map((berth) => toBerth(camera, berth)) };
}

function toBerth(camera: SiteCamera, berth: SiteCamera['berths'][number]): Berth {
  const [dx, dy] = berth.drivingDirection;
  const length = Math.hypot(dx, dy);
  return {
    ...berth,
    roadSection: camera.roadSection,
    lotCode: camera.lot,
    polygon: berth.polygon as Quad,
    drivingDirection: [dx / length, dy / length] as Point,
  };
}
