import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { applyHomography, area, overlapArea, type Homography, type Point, type Quad } from '../../base/geometry.js';
import { haveTool } from '../../base/test-tools.js';

/** What `scenes.clip_truth` writes; see test/scenes/README.md. */
interface Truth {
  clip: string;
  codec: 'h264' | 'h265';
  fps: number;
  width: number;
  height: number;
  gopFrames: number;
  frames: number;
  camera: { homography: number[][] };
  berths: { id: string; polygon: Quad; ground: Quad; lengthM: number; widthM: number }[];
  vehicles: { id: string; plate: { text: string; colour: string } | null }[];
  visits: { berth: string; vehicle: string; enteredFrame: number | null; leftFrame: number | null; plateReadableFrames: [number, number][] }[];
}

interface FrameTruth {
  f: number;
  vehicles: { id: string; box: [number, number, number, number]; quad: Quad | null; plate: Quad | null; visible: number }[];
}

const folder = new URL('../fixtures/scenes/', import.meta.url);
const clips = ['day-parallel', 'dusk-angled'];
const hasFfprobe = haveTool('ffprobe');

const read = (name: string): Buffer => readFileSync(new URL(name, folder));

function load(clip: string): { truth: Truth; frames: FrameTruth[] } {
  const truth = JSON.parse(read(`${clip}.truth.json`).toString('utf8')) as Truth;
  const lines = gunzipSync(read(`${clip}.frames.jsonl.gz`)).toString('utf8').trim().split('\n');
  return { truth, frames: lines.map((l) => JSON.parse(l) as FrameTruth) };
}

/** Share of the vehicle's footprint that lies in the berth, both in the picture. */
function share(quad: Quad, berth: Quad): number {
  return overlapArea(quad, berth) / area(quad);
}

for (const clip of clips) {
  describe(`scene ${clip}`, () => {
    const { truth, frames } = load(clip);
    const quadAt = (f: number, id: string): Quad | null => frames[f]?.vehicles.find((v) => v.id === id)?.quad ?? null;
    const berth = (id: string): Quad => {
      const found = truth.berths.find((b) => b.id === id);
      if (found === undefined) throw new Error(`visit names unknown berth ${id}`);
      return found.polygon;
    };

    it('has one truth line a frame, a whole number of GOPs', () => {
      expect(frames.map((l) => l.f)).toEqual(Array.from({ length: truth.frames }, (_, i) => i));
      expect(truth.frames % truth.gopFrames).toBe(0);
      expect(truth.frames / truth.fps).toBeGreaterThanOrEqual(100);
    });

    it('keeps every berth inside the picture, and its homography maps ground to picture', () => {
      expect(truth.berths.length).toBeGreaterThanOrEqual(4);
      const h = truth.camera.homography.flat() as unknown as Homography;
      for (const b of truth.berths) {
        for (let i = 0; i < 4; i += 1) {
          const [x, y] = b.polygon[i] as Point;
          expect(x).toBeGreaterThanOrEqual(0);
          expect(y).toBeGreaterThanOrEqual(0);
          expect(x).toBeLessThanOrEqual(truth.width);
          expect(y).toBeLessThanOrEqual(truth.height);
          const [u, v] = applyHomography(h, b.ground[i] as Point);
          expect(Math.hypot(u - x, v - y)).toBeLessThan(1.5);
        }
        const side = (p: Point, q: Point): number => Math.hypot(p[0] - q[0], p[1] - q[1]);
        expect(side(b.ground[0], b.ground[1])).toBeCloseTo(b.widthM, 2);
        expect(side(b.ground[1], b.ground[2])).toBeCloseTo(b.lengthM, 2);
      }
    });

    it('tells visits that agree with the footprints', () => {
      for (const v of truth.visits) {
        if (v.enteredFrame !== null) {
          const there = quadAt(v.enteredFrame, v.vehicle);
          expect(there, `${v.vehicle} is in frame ${v.enteredFrame}`).not.toBeNull();
          expect(share(there as Quad, berth(v.berth))).toBeGreaterThan(0.75);
          const before = quadAt(v.enteredFrame - 100, v.vehicle);
          if (before !== null) expect(share(before, berth(v.berth))).toBeLessThan(0.75);
          expect(v.enteredFrame).toBeGreaterThanOrEqual(8 * truth.fps);
        }
        if (v.leftFrame !== null) {
          const gone = quadAt(v.leftFrame, v.vehicle);
          // a sliver is left where the box of a turned vehicle touches the line between two samples
          if (gone !== null) expect(share(gone, berth(v.berth))).toBeLessThan(0.005);
          const last = quadAt(v.leftFrame - 1, v.vehicle);
          if (last !== null) expect(overlapArea(last, berth(v.berth))).toBeGreaterThan(0);
          expect(v.leftFrame - (v.enteredFrame ?? 0)).toBeGreaterThanOrEqual(20 * truth.fps);
          expect(truth.frames - v.leftFrame).toBeGreaterThanOrEqual(10 * truth.fps);
        }
        // the clip loops: who is there at the start is there at the end, in the same place
        if (v.enteredFrame === null) {
          expect(v.leftFrame).toBeNull();
          expect(quadAt(0, v.vehicle)).toEqual(quadAt(truth.frames - 1, v.vehicle));
        } else expect(v.leftFrame).not.toBeNull();
      }
    });

    it('never has two vehicles in one berth', () => {
      for (const a of truth.visits) {
        for (const b of truth.visits) {
          if (a === b || a.berth !== b.berth) continue;
          const [first, second] = (a.enteredFrame ?? -1) < (b.enteredFrame ?? -1) ? [a, b] : [b, a];
          expect(first.leftFrame ?? Infinity).toBeLessThan(second.enteredFrame ?? -1);
        }
      }
    });

    it('shows every parked plate, large enough to read', () => {
      for (const v of truth.visits) {
        const entered = v.enteredFrame ?? 0;
        const left = v.leftFrame ?? truth.frames - 1;
        let widest = 0;
        for (const [from, to] of v.plateReadableFrames) {
          for (let f = Math.max(from, entered); f <= Math.min(to, left); f += 1) {
            const plate = frames[f]?.vehicles.find((x) => x.id === v.vehicle)?.plate ?? null;
            expect(plate, `${v.vehicle} frame ${f}`).not.toBeNull();
            const [tl, tr] = plate as Quad;
            widest = Math.max(widest, Math.hypot(tr[0] - tl[0], tr[1] - tl[1]));
          }
        }
        expect(widest, `${v.vehicle} while parked in ${v.berth}`).toBeGreaterThanOrEqual(55);
      }
      const texts = truth.vehicles.flatMap((v) => (v.plate === null ? [] : [v.plate.text]));
      expect(new Set(texts).size).toBe(texts.length);
    });

    it('keeps boxes inside the picture', () => {
      for (const line of frames) {
        for (const { box } of line.vehicles) {
          expect(Math.min(box[0], box[1], box[2], box[3])).toBeGreaterThanOrEqual(0);
          expect(box[0] + box[2]).toBeLessThanOrEqual(truth.width + 0.11);
          expect(box[1] + box[3]).toBeLessThanOrEqual(truth.height + 0.11);
        }
      }
    });

    const mp4 = fileURLToPath(new URL(truth.clip, folder));
    it.skipIf(!hasFfprobe)('is encoded in closed GOPs of fixed length without B frames', () => {
      const probe = (...args: string[]): string => execFileSync('ffprobe', ['-v', 'error', '-select_streams', 'v:0', ...args, mp4], { maxBuffer: 1 << 26 }).toString('utf8');
      const stream = (JSON.parse(probe('-show_streams', '-of', 'json')) as { streams: Record<string, unknown>[] }).streams[0];
      expect(stream).toMatchObject({ codec_name: truth.codec === 'h264' ? 'h264' : 'hevc', width: truth.width, height: truth.height, r_frame_rate: `${truth.fps}/1`, pix_fmt: 'yuv420p', has_b_frames: 0 });
      const flags = probe('-show_entries', 'packet=flags', '-of', 'csv=p=0').trim().split('\n');
      expect(flags.length).toBe(truth.frames);
      expect(flags.flatMap((f, i) => (f.startsWith('K') ? [i] : []))).toEqual(Array.from({ length: truth.frames / truth.gopFrames }, (_, i) => i * truth.gopFrames));
    });
  });
}

describe('both scenes', () => {
  it('hold the visits the demo needs', () => {
    const visits = clips.flatMap((clip) => load(clip).truth.visits);
    expect(visits.filter((v) => v.enteredFrame !== null && v.leftFrame !== null).length).toBeGreaterThanOrEqual(8);
    expect(visits.filter((v) => v.enteredFrame === null).length).toBeGreaterThanOrEqual(2);
  });
});
