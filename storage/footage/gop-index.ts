import { BerthwatchError } from '../../base/errors.js';

/** Where one GOP lies in its segment file. */
export interface IndexedGop {
  gop: number;
  /** Of its fragment, from the beginning of the file. */
  offset: number;
  /** Bytes of the fragment. */
  length: number;
  /** Bytes up to the end of the keyframe. */
  headBytes: number;
  /** capturedAt of its first and last unit, Unix ms. */
  startedAt: number;
  endedAt: number;
  units: number;
}

const VERSION = 1;

/**
 * The GOPs of a segment as the catalogue stores them, about ten bytes each:
 * version, count, offset of the first; then for each GOP its length, head bytes, start (zigzag, after the start before
 * it), duration and units, all as LEB128 varints. Fragments follow one another without holes.
 */
export function encodeGopIndex(gops: readonly IndexedGop[]): Buffer {
  const bytes: number[] = [VERSION];
  put(bytes, gops.length);
  put(bytes, gops[0]?.offset ?? 0);
  let previous = gops[0]?.startedAt ?? 0;
  for (const gop of gops) {
    put(bytes, gop.length);
    put(bytes, gop.headBytes);
    const step = gop.startedAt - previous;
    put(bytes, step < 0 ? -step * 2 - 1 : step * 2);
    put(bytes, gop.endedAt - gop.startedAt);
    put(bytes, gop.units);
    previous = gop.startedAt;
  }
  return Buffer.from(bytes);
}

/**
 * @param startedAt of the first GOP, which the row holds
 * @throws BerthwatchError internal, where the bytes are not an index
 */
export function decodeGopIndex(bytes: Uint8Array, startedAt: number): IndexedGop[] {
  const wrong = (): BerthwatchError => new BerthwatchError('internal', 'FOOTAGE_INDEX', 'the GOP index of a segment cannot be read: rebuild its row from the file');
  let at = 1;
  const take = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 2 ** 49) throw wrong();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  if (bytes[0] !== VERSION) throw wrong();
  const count = take();
  if (count > bytes.length) throw wrong();
  let offset = take();
  let start = startedAt;
  const gops: IndexedGop[] = [];
  for (let gop = 0; gop < count; gop++) {
    const length = take();
    const headBytes = take();
    const step = take();
    start += step % 2 === 1 ? -(step + 1) / 2 : step / 2;
    gops.push({ gop, offset, length, headBytes, startedAt: start, endedAt: start + take(), units: take() });
    offset += length;
  }
  if (at !== bytes.length) throw wrong();
  return gops;
}

function put(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}
