import type { MediaEvent } from '../../ingest/media/media-event.js';

/** Names of the stream maps and payload types, as people know them. */
const NAMES: Readonly<Record<string, string>> = {
  'mpeg1-video': 'MPEG-1 video',
  'mpeg2-video': 'MPEG-2 video',
  mpeg4: 'MPEG-4 part 2 video',
  svac: 'SVAC video',
  'mpeg-ts': 'an MPEG transport stream',
  'svac-audio': 'SVAC sound',
  'mpeg-audio': 'MPEG layer sound',
  mp2: 'MPEG layer sound',
  'g722.1': 'G.722.1 sound',
  g722: 'G.722 sound',
  'g723.1': 'G.723.1 sound',
  g729: 'G.729 sound',
};

/** What people should know of what is in a stream, and what they can do; null where there is nothing to say. */
export function contentNote(event: MediaEvent): string | null {
  if (event.type === 'audio' && !event.kept) return `the camera sends ${NAMES[event.codec] ?? `sound of an unknown kind (${event.codec})`}, which is not kept: set its sound to G.711 or AAC; its pictures are recorded all the same`;
  if (event.type !== 'unsupported') return null;
  if (event.what === 'mpeg-ts') return 'the camera sends an MPEG transport stream (TS), which GB/T 28181 does not have: set its GB/T 28181 stream to PS';
  return `the camera sends ${NAMES[event.what] ?? `a stream of an unknown kind (${event.what})`}, which cannot be used: set its encoding to H.264 or H.265`;
}
