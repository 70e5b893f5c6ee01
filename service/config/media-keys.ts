import { isIP } from 'node:net';
import { z } from 'zod';
import { STREAM_DIALECTS } from '../../ingest/gb28181/offer.js';
import { MEDIA_MODES } from '../../ingest/media/media-transport.js';

/** Keys of a GB/T 28181 camera about how its media are asked for and recognised. */
export const MediaKeys = {
  /** How it is told main or sub stream; makers differ. */
  streamDialect: z.enum(STREAM_DIALECTS).prefault('streamnumber'),
  /** Null: as `gb28181.mediaMode` says. */
  mediaMode: z.enum(MEDIA_MODES).nullable().prefault(null),
  /** Take only the SSRC that was offered or answered; else one that the camera itself chose without a word is learnt. */
  strictSsrc: z.boolean().prefault(false),
  /** Further addresses that its media may come from, besides that of its signalling and the one its answer names. */
  mediaHosts: z.array(z.string().refine((host) => isIP(host) !== 0, 'must be an IP address')).max(8).prefault([]),
};
