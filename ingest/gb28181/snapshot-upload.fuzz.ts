import type { FuzzTarget } from '../../base/fuzz-target.js';
import { jpegSize } from './jpeg-size.js';
import { boundaryOf, filePart } from './multipart.js';
import { readSnapshotName } from './snapshot-name.js';

/** Uploaded snapshots: the form around them, the name, and the picture's head. The first line stands for Content-Type and name. */
export const target: FuzzTarget = {
  name: 'snapshot-upload',
  corpusDir: 'ingest/gb28181/corpus/snapshot-upload',
  run(input) {
    const bytes = Buffer.from(input);
    const line = bytes.indexOf(0x0a);
    const head = bytes.subarray(0, Math.max(0, line)).toString('latin1');
    const body = bytes.subarray(line + 1);
    const boundary = boundaryOf(head);
    const part = boundary === null ? { name: head, bytes: body } : filePart(body, boundary, (content) => jpegSize(content) !== null);
    if (part && part.bytes.length > body.length) throw new Error('a part is longer than the whole');
    const size = part ? jpegSize(part.bytes) : null;
    if (size && !(size.width >= 16 && size.height >= 16)) throw new Error('a picture of no size was let through');
    const name = readSnapshotName(part?.name ?? head);
    if (name && (!/^\d{20}$/.test(name.channelId) || !Number.isFinite(name.takenAt))) throw new Error('a name that says nothing was let through');
  },
};
