import type { Discontinuity } from './capture-clock.js';
import type { DropReason } from './access-unit-assembler.js';
import type { VideoFormat } from './video-format.js';

/** What a person or the service should know about a stream. Counters go to `MediaStats`; these are the news. */
export type MediaEvent =
  /** The first packet that was accepted as this stream's. `expected` is false where its SSRC was learnt. */
  | { type: 'first-packet'; ssrc: number; expected: boolean; host: string; port: number }
  /** The first keyframe, or the first one of another codec or size. */
  | { type: 'format'; format: VideoFormat }
  | { type: 'first-keyframe'; format: VideoFormat }
  /** Packets that never came (UDP) or were skipped in a damaged byte stream (TCP; `packets` then is 0 if unknown). */
  | { type: 'loss'; packets: number }
  /** The time line was cut; the footage log begins a new segment at the next keyframe. */
  | ({ type: 'discontinuity' } & Discontinuity)
  /** Bytes that contradict their format. At most one event a second; the counters have them all. */
  | { type: 'damage'; what: string }
  /** Pictures given up since the last such event (at most one event a second). */
  | { type: 'dropped'; reason: DropReason; pictures: number }
  /** Sound is in the stream: its codec's name, and whether it is one that we keep. */
  | { type: 'audio'; codec: string; kept: boolean }
  /** The stream carries what we cannot use (`mpeg4`, `svac`, `mpeg-ts`, a private format). */
  | { type: 'unsupported'; what: string }
  /** Nothing came: since the start (`firstPacketSeen` false) or since the last packet. */
  | { type: 'silence'; firstPacketSeen: boolean; silentMs: number }
  /** Someone else sent to our port. At most one event a stranger in ten seconds. */
  | { type: 'stranger'; host: string; port: number; ssrc: number | null; why: StrangerReason }
  /** The stream's source or SSRC changed lawfully. */
  | { type: 'rebound'; host: string; port: number; ssrc: number }
  | { type: 'closed'; why: string };

/**
 * - `ssrc`: not this stream's SSRC
 * - `host`: not the device's address
 * - `port`: the right SSRC from another source than the one the stream is bound to, while that one is alive
 * - `second-connection`: a TCP connection while another one is in use
 */
export type StrangerReason = 'ssrc' | 'host' | 'port' | 'second-connection';
