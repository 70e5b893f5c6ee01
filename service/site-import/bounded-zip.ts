import { inflateRawSync } from 'node:zlib';
import { BerthwatchError } from '../../base/errors.js';

/**
 * Reads a ZIP archive (APPNOTE 6.3) that somebody gave us, by its central directory, with every size bounded before memory is taken:
 * what a directory claims is not believed, each entry is inflated into at most what is left of the limit.
 */

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const MOST_COMMENT = 65_535;
const STORED = 0;
const DEFLATED = 8;

export interface ZipLimits {
  entries: number;
  bytes: number;
}

const damaged = (what: string): BerthwatchError => new BerthwatchError('bad-input', 'SITE_XLSX', `the file is no whole XLSX workbook: ${what}; open it in a spreadsheet program and save it anew`);

/**
 * Names and contents of the entries that `wanted` takes.
 * @throws BerthwatchError bad-input where the archive is damaged, encrypted, or larger than the limits
 */
export function unzipBounded(zip: Uint8Array, limits: ZipLimits, wanted: (name: string) => boolean): Map<string, Uint8Array> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  if (count > limits.entries) throw new BerthwatchError('bad-input', 'SITE_TOO_LARGE', `the workbook has ${count} parts, more than ${limits.entries}: it is no list of berths`);
  const entries = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  let left = limits.bytes;
  for (let i = 0; i < count; i++) {
    if (at + 46 > zip.length || view.getUint32(at, true) !== CENTRAL) throw damaged('its list of parts is broken');
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const nameBytes = view.getUint16(at + 28, true);
    const offset = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(zip.subarray(at + 46, at + 46 + nameBytes));
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (!wanted(name)) continue;
    if ((flags & 1) !== 0) throw new BerthwatchError('bad-input', 'SITE_XLSX', 'the workbook is encrypted; save it without a password');
    const content = inflate(contentOf(zip, view, offset, packed), method, left);
    left -= content.length;
    entries.set(name, content);
  }
  return entries;
}

/** The end record lies before a comment of unknown length. */
function findEnd(view: DataView): number {
  for (let at = view.byteLength - END_BYTES; at >= Math.max(0, view.byteLength - END_BYTES - MOST_COMMENT); at--) {
    if (view.getUint32(at, true) === END) return at;
  }
  throw damaged('its end is missing');
}

function contentOf(zip: Uint8Array, view: DataView, offset: number, packed: number): Uint8Array {
  if (offset + 30 > zip.length || view.getUint32(offset, true) !== LOCAL) throw damaged('a part is not where its list says');
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packed > zip.length) throw damaged('a part is cut off');
  return zip.subarray(start, start + packed);
}

function inflate(content: Uint8Array, method: number, left: number): Uint8Array {
  if (method !== STORED && method !== DEFLATED) throw damaged(`a part is packed by method ${method}`);
  if (method === STORED) {
    if (content.length > left) throw tooLarge();
    return content;
  }
  try {
    return inflateRawSync(content, { maxOutputLength: Math.max(1, left) });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw damaged('a part cannot be unpacked');
  }
}

function tooLarge(): BerthwatchError {
  return new BerthwatchError('bad-input', 'SITE_TOO_LARGE', 'the workbook unpacks to more than a list of berths can need; remove pictures and unused sheets, or save it as CSV');
}
