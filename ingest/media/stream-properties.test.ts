import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import type { AccessUnit } from '../access-unit.js';
import type { MediaEvent } from './media-event.js';
import { MediaPipeline, type PipelineStats } from './pipeline.js';
import { parseRtp } from './rtp-packet.js';
import { liveCamera, numberOf, Truth, type Incident, type Life } from './test-life.js';

interface Lived extends Truth {
  units: AccessUnit[];
  events: MediaEvent[];
  stats: PipelineStats;
}

function live(life: Life): Lived {
  const units: AccessUnit[] = [];
  const events: MediaEvent[] = [];
  const truth = new Truth();
  const pipeline = new MediaPipeline({ cameraId: 'c', reorder: true, onUnit: (unit) => units.push(unit), onEvent: (event) => events.push(event) });
  let last = 0;
  for (const { packet, at } of liveCamera(life, truth)) {
    const parsed = parseRtp(packet);
    if (typeof parsed === 'string') throw new Error('a packet of our own is no RTP');
    pipeline.push(parsed, (last = at));
  }
  pipeline.flush(last + 1000);
  return { ...truth, units, events, stats: pipeline.stats };
}

const nals = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').replace(/(00)*000001/g, ' ');

const kind = (what: Incident, incidents: Lived['incidents']): Set<number> => new Set(incidents.filter((incident) => incident.what === what).map(({ at }) => at));

function check({ sent, units, incidents }: Lived, toleranceMs: number): void {
  const problems: string[] = [];
  const say = (text: string): void => void (problems.length < 5 && problems.push(text));
  let before = -1;
  let last: AccessUnit | null = null;
  const slightly = kind('slightly-ahead', incidents);
  for (const unit of units) {
    const number = numberOf(unit);
    const truth = sent[number];
    if (!truth) return void say(`a unit without a number`) as never;
    if (number <= before) say(`picture ${number} comes after ${before}`);
    if (number !== before + 1 && !unit.keyframe) say(`picture ${number} follows ${before}, and is no keyframe`);
    if (unit.keyframe !== truth.key || unit.codec !== truth.codec) say(`picture ${number} is called ${unit.codec} ${unit.keyframe ? 'keyframe' : ''}`);
    const wanted = nals(truth.bytes);
    // A keyframe may have got its parameter sets in front, where it had none; ours have them.
    if (nals(unit.data) !== wanted) say(`picture ${number} has other bytes`);
    const off = Math.abs(unit.capturedAt - truth.takenAt);
    if (off > toleranceMs && !slightly.has(number)) say(`picture ${number} is ${off} ms from the truth`);
    if (last && (unit.pts <= last.pts || unit.capturedAt <= last.capturedAt)) say(`time stands or falls at picture ${number}`);
    if (last && Math.abs((unit.pts - last.pts) / 90 - (unit.capturedAt - last.capturedAt)) > toleranceMs + 1) say(`pts and capturedAt go apart at picture ${number}`);
    before = number;
    last = unit;
  }
  expect(problems).toEqual([]);
}

/** Pictures that nothing on the way can have spoilt: no packet of theirs, or of their GOP before them, was lost, nor their time set. */
function unspoilt({ sent, hit, incidents }: Lived): Set<number> {
  const cut = new Set(incidents.filter(({ what }) => what === 'ahead' || what === 'back' || what === 'slightly-ahead' || what === 'wrap').map(({ at }) => at));
  const good = new Set<number>();
  let whole = false;
  for (let n = 0; n < sent.length; n++) {
    if (sent[n]?.key) whole = true;
    else if (cut.has(n)) whole = false;
    // Without the next picture's first packet, or with a hole before it, the end of this one is not known either.
    if (hit.has(n) || hit.has(n + 1)) whole = false;
    if (whole) good.add(n);
  }
  return good;
}

const CALM: Life = { seed: 1, pictures: 1500, frameMs: 80, driftPpm: 0, jitterMs: 20, lossPercent: 0, reorderPercent: 0, duplicatePercent: 0, incidents: [], incidentEvery: 100 };

describe('what comes out of a stream is what the camera took, when it took it', () => {
  it.each<[string, Partial<Life>, number]>([
    ['a camera that does all right', {}, 1500],
    ['a fast clock', { driftPpm: 200 }, 1500],
    ['a slow clock', { driftPpm: -200 }, 1500],
    ['sequence numbers, RTP time and PES time that wrap', { sequence: 65_000, timestamp: 2 ** 32 - 90_000, pts: 2 ** 33 - 2_000_000 }, 1500],
    ['disorder and doubles', { reorderPercent: 5, duplicatePercent: 5 }, 1500],
    ['a start in the middle of a GOP', { startMidGop: true }, 1482],
    ['silences', { incidents: ['silence'] }, 1500],
    ['restarts of the encoder', { incidents: ['restart'], incidentEvery: 110 }, 1500 - 13],
    ['other resolutions', { incidents: ['resolution'], incidentEvery: 90 }, 1500],
    ['other codecs, there and back', { incidents: ['codec'], incidentEvery: 90 }, 1500],
    ['times that jump ahead at a keyframe', { incidents: ['ahead'] }, 1500],
    ['times that jump back at a keyframe', { incidents: ['back'] }, 1500],
    ['times that jump in the middle of a GOP', { incidents: ['ahead', 'back'], incidentEvery: 110 }, 1500 - 13 * 24],
    ['times that jump ahead by a few seconds', { incidents: ['slightly-ahead'] }, 1500],
  ])('%s', (_name, parts, least) => {
    const lived = live({ ...CALM, ...parts });
    check(lived, 40);
    expect(lived.units.length).toBeGreaterThanOrEqual(least);
  });

  const seeds = Array.from({ length: 24 }, (_, i) => i + 100);
  it.each(seeds)('loss, disorder, doubles and every incident, seed %i', (seed) => {
    const random = seededRandom(seed);
    const lived = live({
      seed, pictures: 1200, frameMs: 80, driftPpm: (random() * 2 - 1) * 200, jitterMs: random() * 30, lossPercent: 2, reorderPercent: 3, duplicatePercent: 2,
      incidents: ['restart', 'resolution', 'codec', 'ahead', 'back', 'silence', 'wrap'], incidentEvery: 60 + Math.floor(random() * 80),
      sequence: Math.floor(random() * 65_536), timestamp: Math.floor(random() * 2 ** 32), pts: Math.floor(random() * 2 ** 33),
    });
    check(lived, 40);
    const came = new Set(lived.units.map(numberOf));
    const missing = [...unspoilt(lived)].filter((n) => !came.has(n));
    // A restart can begin while packets of the old sequence are awaited, and cost the GOP around it.
    expect(missing.length / lived.sent.length, `missing ${missing.slice(0, 20).join(' ')}`).toBeLessThan(0.04);
    expect(lived.stats.bufferedBytes).toBeLessThan(8);
    // Every cut of the time line is told.
    const jumps = lived.incidents.filter(({ what }) => what === 'ahead' || what === 'back').length;
    expect(lived.events.filter((event) => event.type === 'discontinuity').length).toBeGreaterThanOrEqual(Math.floor(jumps / 2));
  });
});
