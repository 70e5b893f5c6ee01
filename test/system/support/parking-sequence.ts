import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { stringify } from 'yaml';
import { area, type Point, type Quad } from '../../../base/geometry.js';

/** A car park's pictures as a recording that `berthwatch replay` takes, with its truth. */
export interface SequenceVideo {
  video: string;
  site: string;
  /** Truth of each picture: occupied or not by berth number. */
  truth: Map<string, boolean>[];
  /** How long each picture is shown, ms. */
  shownMs: number;
}

interface Space {
  id: string;
  occupied: boolean;
  polygon: Quad;
}

/** Long enough for an enter and a leave to be confirmed by looks that the gate lets through. */
const SECONDS = 45;
const WIDTH = 1280;
const HEIGHT = 720;
const BERTH = { lengthM: 5, widthM: 2.5 };

/**
 * Makes the frames of one car park sequence (JPEG pictures taken minutes to hours apart, XML with the polygon and state of each
 * berth) into a video in which each picture stands for `SECONDS`, a key frame a second, with a little sensor noise (a camera never gives
 * the same picture twice), and a site file with the berths. Needs ffmpeg.
 */
export function sequenceVideo(sequence: string, folder: string): SequenceVideo {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(join(sequence, 'frames')).filter((name) => name.endsWith('.jpg')).sort();
  const spaces = names.map((name) => readSpaces(join(sequence, 'bounding_boxes', name.replace(/\.jpg$/, '.xml'))));
  const list = join(folder, 'frames.txt');
  const line = (name: string): string => `file '${join(sequence, 'frames', name)}'\nduration ${SECONDS}\n`;
  // The concat demuxer wants the last file once more for its duration to count.
  writeFileSync(list, names.map(line).join('') + `file '${join(sequence, 'frames', names.at(-1) ?? '')}'\n`);
  const video = join(folder, 'sequence.mp4');
  execFileSync('ffmpeg', [
    '-v', 'error', '-y', '-f', 'concat', '-safe', '0', '-i', list, '-vf', `fps=1,scale=${WIDTH}:${HEIGHT},noise=alls=3:allf=t`, '-t', String(names.length * SECONDS),
    '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', '-x264-params', 'keyint=1:bframes=0', '-pix_fmt', 'yuv420p', video,
  ]);
  const site = join(folder, 'site.yaml');
  writeFileSync(site, stringify(siteOf(spaces[0] ?? [])));
  return { video, site, truth: spaces.map((list_) => new Map(list_.map((space) => [space.id, space.occupied]))), shownMs: SECONDS * 1000 };
}

function readSpaces(file: string): Space[] {
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', isArray: (name) => name === 'space' || name === 'point' });
  const document = parser.parse(readFileSync(file, 'utf8')) as { parking: { space: { id: string; occupied?: string; contour: { point: { x: string; y: string }[] } }[] } };
  return document.parking.space
    // A few spaces are drawn but not judged.
    .filter((space) => space.occupied !== undefined)
    .map((space) => ({ id: space.id, occupied: space.occupied === '1', polygon: inOrder(space.contour.point.map(({ x, y }) => [Number(x), Number(y)] as const), file) }));
}

/** Corners as a site wants them: front-left, front-right, rear-right, rear-left, the front being a short side. */
function inOrder(points: readonly Point[], file: string): Quad {
  if (points.length !== 4) throw new Error(`${file}: a berth with ${points.length} corners`);
  const [a, b, c, d] = points as Quad;
  const signed = points.reduce((sum, p, i) => sum + p[0] * (points[(i + 1) % 4] as Point)[1] - (points[(i + 1) % 4] as Point)[0] * p[1], 0);
  const [p, q, r, s] = signed > 0 ? [a, b, c, d] : [a, d, c, b];
  const side = (from: Point, to: Point): number => Math.hypot(to[0] - from[0], to[1] - from[1]);
  return side(p, q) + side(r, s) <= side(q, r) + side(s, p) ? [p, q, r, s] : [q, r, s, p];
}

function siteOf(spaces: readonly Space[]): object {
  return {
    lots: [{ code: 'PARK', name: 'car park' }],
    cameras: [
      {
        id: 'car-park',
        name: 'car park',
        deviceNumber: 'car-park',
        lot: 'PARK',
        roadSection: 'car park',
        direction: '-',
        width: WIDTH,
        height: HEIGHT,
        berths: spaces
          .filter((space) => area(space.polygon) >= 400)
          .map((space) => {
            const [frontLeft, frontRight, rearRight, rearLeft] = space.polygon;
            const drivingDirection = [frontLeft[0] + frontRight[0] - rearLeft[0] - rearRight[0], frontLeft[1] + frontRight[1] - rearLeft[1] - rearRight[1]];
            return { id: `s${space.id}`, number: space.id, kind: 'perpendicular', polygon: space.polygon, ...BERTH, drivingDirection };
          }),
      },
    ],
  };
}
