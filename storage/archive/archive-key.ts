import { createHash } from 'node:crypto';
import { beijingDateTime } from '../../base/beijing-time.js';

/** All footage lies below it. */
export const FOOTAGE_PREFIX = 'footage/';
/** Orphans that verify moved out of the way. */
export const QUARANTINE_PREFIX = 'quarantine/';

const LONGEST_CAMERA = 150;

/**
 * Where a segment lies in the archive, a pure function of what never changes about it:
 *
 *     footage/<camera>/<yyyy>/<mm>/<dd>/<hhmmss>-<segment>.mp4
 *
 * Day and time are those of its first unit in Beijing, as people ask for them; the segment number, eight digits, makes it unique.
 */
export function segmentKey(segment: { cameraId: string; segment: number; startedAt: number }): string {
  const [day = '', time = ''] = beijingDateTime(segment.startedAt).split(' ');
  return `${cameraPrefix(segment.cameraId)}${day.replaceAll('-', '/')}/${time.replaceAll(':', '')}-${String(segment.segment).padStart(8, '0')}.mp4`;
}

/** What all keys of a camera begin with. */
export function cameraPrefix(cameraId: string): string {
  return `${FOOTAGE_PREFIX}${encodeCamera(cameraId)}/`;
}

/** Camera folder and segment number of a key as `segmentKey` gives it; null where it is another. */
export function readSegmentKey(key: string): { camera: string; segment: number } | null {
  const match = /^footage\/([^/]+)\/\d{4,}\/\d\d\/\d\d\/\d{6}-(\d{8,10})\.mp4$/.exec(key);
  return match ? { camera: match[1] as string, segment: Number(match[2]) } : null;
}

/** Injective, in the letters that a key may have; what they are not is written `=xx`. */
export function encodeCamera(id: string): string {
  let name = '';
  for (const byte of Buffer.from(id)) {
    const char = String.fromCharCode(byte);
    name += /[A-Za-z0-9_-]/.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`;
  }
  // `==` stands in no other name.
  return name.length <= LONGEST_CAMERA ? name : `==${createHash('sha256').update(id).digest('hex')}`;
}
