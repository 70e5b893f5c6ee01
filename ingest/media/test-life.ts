import { seededRandom } from '../../base/fuzz-target.js';
import type { AccessUnit } from '../access-unit.js';
import { splitAnnexB } from './nal-units.js';
import { fixture, picturesOf, psPicture, rtpPacket, type TestCodec } from './test-muxer.js';

/**
 * FOR TESTS: a camera whose life is known exactly: every picture carries its number, so that each unit that comes out of the
 * receive path can be held against the moment at which it was taken and the bytes that it had.
 */
export const WALL = 1_767_225_600_000;

const STREAMS = {
  h264: { codec: 'h264' as TestCodec, pictures: picturesOf(fixture('h264.es'), 'h264').slice(0, 25) },
  h265: { codec: 'h265' as TestCodec, pictures: picturesOf(fixture('h265.es'), 'h265').slice(0, 25) },
  large: { codec: 'h264' as TestCodec, pictures: picturesOf(fixture('h264-slices.es'), 'h264', 3) },
};
type StreamName = keyof typeof STREAMS;

/** A user-data SEI message with a number: H.264 D.1.7, H.265 D.2.7. Digits need no emulation prevention. */
function numbered(picture: Buffer, codec: TestCodec, number: number): Buffer {
  const text = Buffer.from(`berthwatch-test-${String(number).padStart(8, '0')}`);
  const message = Buffer.concat([Buffer.from([5, text.length]), text, Buffer.from([0x80])]);
  const sei = Buffer.concat([Buffer.from(codec === 'h264' ? [0, 0, 0, 1, 6] : [0, 0, 0, 1, 0x4e, 1]), message]);
  // Behind the parameter sets, before the first slice.
  const slice = splitAnnexB(picture).find(({ from }) => (codec === 'h264' ? [1, 5].includes((picture[from] as number) & 0x1f) : (picture[from] as number) >> 1 < 32));
  const at = slice?.codeAt ?? 0;
  return Buffer.concat([picture.subarray(0, at), sei, picture.subarray(at)]);
}

export const numberOf = (unit: AccessUnit): number => Number(/berthwatch-test-(\d{8})/.exec(Buffer.from(unit.data).toString('latin1'))?.[1] ?? NaN);

export interface Life {
  seed: number;
  pictures: number;
  /** Between pictures. */
  frameMs: number;
  driftPpm: number;
  jitterMs: number;
  lossPercent: number;
  reorderPercent: number;
  duplicatePercent: number;
  /** Every so many pictures, one of these happens: by chance, or in turn. */
  incidents: readonly Incident[];
  inTurn?: boolean;
  incidentEvery: number;
  sequence?: number;
  timestamp?: number;
  pts?: number;
  startMidGop?: boolean;
}

export type Incident = 'restart' | 'resolution' | 'codec' | 'ahead' | 'back' | 'silence' | 'slightly-ahead' | 'wrap';

export interface Sent {
  takenAt: number;
  bytes: Buffer;
  key: boolean;
  codec: TestCodec;
}

/** What really happened. */
export class Truth {
  readonly sent: Sent[] = [];
  /** Numbers of the pictures that lost a packet on the way. */
  readonly hit = new Set<number>();
  readonly incidents: { at: number; what: Incident }[] = [];
}

/** The packets in the order in which they arrive; the truth grows along. */
export function* liveCamera(life: Life, { sent, hit, incidents }: Truth): Generator<{ packet: Buffer; at: number }, void> {
  const random = seededRandom(life.seed);
  let stream: StreamName = 'h264';
  let frame = life.startMidGop ? 7 : 0;
  let sequence = life.sequence ?? 0;
  /** Camera clock minus truth, ticks: the camera's own idea of time. */
  let offset = life.pts ?? 1_000_000;
  let rtpOffset = life.timestamp ?? 0;
  let takenAt = WALL;
  const late: { packet: Buffer; after: number; at: number }[] = [];
  for (let n = 0; n < life.pictures; n++) {
    // No network turns packets around over hundreds of milliseconds.
    if (life.frameMs > 150) for (const { packet, at } of late.splice(0)) yield { packet, at };
    takenAt += life.frameMs;
    if (n > 0 && n % life.incidentEvery === 0 && life.incidents.length > 0) {
      const what = life.incidents[life.inTurn ? incidents.length % life.incidents.length : Math.floor(random() * life.incidents.length)] as Incident;
      incidents.push({ at: n, what });
      const far = (5.5 + random() * 3600) * 90_000;
      if (what === 'restart') {
        frame = 0;
        sequence = Math.floor(random() * 65_536);
        offset = Math.floor(random() * 2 ** 32) - Math.floor((takenAt - WALL) * 90);
        rtpOffset = Math.floor(random() * 2 ** 32);
      } else if (what === 'resolution' || what === 'codec') {
        const next: StreamName = what === 'codec' ? (stream === 'h265' ? 'h264' : 'h265') : stream === 'large' ? 'h264' : 'large';
        stream = next;
        frame = 0;
      } else if (what === 'ahead') offset += far;
      else if (what === 'slightly-ahead') offset += (1.5 + random() * 3) * 90_000;
      else if (what === 'back') offset -= far;
      else if (what === 'silence') takenAt += Math.round(6000 + random() * 60_000);
      else offset = 2 ** 33 - Math.floor((takenAt - WALL) * 90) - 900_000;
    }
    const { codec, pictures } = STREAMS[stream];
    const index = frame % pictures.length;
    frame++;
    const bytes = numbered(pictures[index] as Buffer, codec, n);
    sent.push({ takenAt, bytes, key: index === 0, codec });
    const camera = Math.round((takenAt - WALL) * 90 * (1 + life.driftPpm / 1e6) + offset);
    const pts = ((camera % 2 ** 33) + 2 ** 33) % 2 ** 33;
    const timestamp = (((camera + rtpOffset) % 2 ** 32) + 2 ** 32) % 2 ** 32;
    const program = psPicture(bytes, index === 0, { pts, mapType: codec === 'h264' ? 0x1b : 0x24 });
    const arrival = takenAt + random() * life.jitterMs;
    const size = 60;
    for (let at = 0; at < program.length; at += size) {
      const packet = rtpPacket(program.subarray(at, at + size), sequence++ & 0xffff, timestamp, at + size >= program.length);
      for (const waiting of late) waiting.after--;
      if (random() * 100 < life.lossPercent) hit.add(n);
      else if (random() * 100 < life.reorderPercent) late.push({ packet, after: 1 + Math.floor(random() * 2), at: arrival });
      else {
        yield { packet, at: arrival };
        if (random() * 100 < life.duplicatePercent) yield { packet, at: arrival };
      }
      for (const waiting of late.splice(0)) {
        if (waiting.after <= 0) yield { packet: waiting.packet, at: Math.max(arrival, waiting.at) };
        else late.push(waiting);
      }
    }
  }
  for (const { packet } of late) yield { packet, at: takenAt };
}
