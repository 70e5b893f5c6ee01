import { BerthwatchError } from '../../base/errors.js';

export interface Box {
  type: string;
  /** Offset of the payload in the buffer it was read from. */
  from: number;
  /** Behind its last byte. */
  to: number;
}

/** Damage found in a segment file: says what and where; nothing of the damaged part is used. */
export function damaged(what: string): BerthwatchError {
  return new BerthwatchError('bad-input', 'FOOTAGE_DAMAGED', what);
}

/**
 * The boxes that fill `bytes` from `from` to `to` (ISO/IEC 14496-12, clause 4.2). Sizes 0 (to the end) and 1 (64 bits) are
 * not written by us and count as damage.
 *
 * @throws BerthwatchError bad-input, where a box does not fit or there are more than 64
 */
export function readBoxes(bytes: Buffer, from: number, to: number): Box[] {
  const boxes: Box[] = [];
  let at = from;
  while (at < to) {
    if (to - at < 8) throw damaged(`${to - at} bytes are left where a box should begin`);
    const size = bytes.readUInt32BE(at);
    if (size < 8 || size > to - at) throw damaged(`a box of ${size} bytes does not fit into ${to - at}`);
    if (boxes.length === 64) throw damaged('more than 64 boxes in a row');
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), from: at + 8, to: at + size });
    at += size;
  }
  return boxes;
}

/** The only box of `type`. @throws BerthwatchError bad-input, where there is none or more than one */
export function onlyBox(boxes: readonly Box[], type: string): Box {
  const found = boxes.filter((box) => box.type === type);
  if (found.length !== 1) throw damaged(`${found.length} boxes "${type}" where one is needed`);
  return found[0] as Box;
}

/** A 64-bit integer that fits a number. @throws BerthwatchError bad-input */
export function readI64(bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigInt64BE(at));
  if (!Number.isSafeInteger(value)) throw damaged('a 64-bit number is out of range');
  return value;
}
