import { BerthwatchError } from '../../base/errors.js';

/*
 * RFC 5905, clause 7.3 (client mode of clause 14, as SNTP):
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |LI | VN  |Mode |    Stratum    |     Poll      |  Precision    |
 * |                         Root Delay                            |
 * |                       Root Dispersion                         |
 * |                        Reference ID                           |
 * |                   Reference Timestamp (64)                    |
 * |                    Origin Timestamp (64)                      |
 * |                   Receive Timestamp (64)                      |
 * |                   Transmit Timestamp (64)                     |
 *
 * Extension fields and a MAC may follow; they are passed over.
 */

const PACKET_BYTES = 48;
/** Seconds from 1900 to 1970. */
const UNIX_EPOCH = 2_208_988_800;
const ERA_SECONDS = 0x1_0000_0000;
const MODE_CLIENT = 3;
const MODE_SERVER = 4;
const UNSYNCHRONISED = 3;
/** MAXDIST of RFC 5905, clause 15: a server further from its source does not know the time. */
const MOST_ROOT_DISTANCE_MS = 1_500;

/** A server's answer. Times are Unix ms with fractions. */
export interface NtpReply {
  version: number;
  /** 1: has a clock of its own; up to 15. */
  stratum: number;
  /** When our request came and when the answer left, by the server's clock. */
  receivedAt: number;
  sentAt: number;
  /** Largest error of the server against its source, ms. */
  rootDistanceMs: number;
}

/** A request that carries `nonce` (8 bytes) where a clock would stand: the answer must repeat it, and nothing is told of our clock. */
export function writeNtpRequest(nonce: Uint8Array): Buffer {
  const packet = Buffer.alloc(PACKET_BYTES);
  packet[0] = (4 << 3) | MODE_CLIENT;
  packet.set(nonce.subarray(0, 8), 40);
  return packet;
}

const wrong = (what: string): BerthwatchError => new BerthwatchError('bad-input', 'NTP_ANSWER', what);

/**
 * Reads the answer to the request with this nonce.
 *
 * @throws BerthwatchError bad-input where it is no answer to it; unavailable where the server says that it does not know the time
 *   or does not want to be asked (kiss of death, clause 7.4)
 */
export function readNtpReply(packet: Uint8Array, nonce: Uint8Array): NtpReply {
  if (packet.length < PACKET_BYTES) throw wrong(`an answer of ${packet.length} bytes is too short for NTP`);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const first = view.getUint8(0);
  const version = (first >> 3) & 7;
  if ((first & 7) !== MODE_SERVER) throw wrong(`the packet has mode ${first & 7}, not that of a server`);
  if (version < 1 || version > 4) throw wrong(`NTP version ${version} is not known`);
  for (let i = 0; i < 8; i++) if (packet[24 + i] !== nonce[i]) throw wrong('the answer belongs to another request');
  const stratum = view.getUint8(1);
  if (stratum === 0) {
    const code = String.fromCharCode(...packet.subarray(12, 16)).replace(/[^A-Z0-9]/g, '');
    throw new BerthwatchError('unavailable', 'NTP_KISS', `the time server does not want to be asked${code ? ` (${code})` : ''}`);
  }
  if (stratum > 15 || first >> 6 === UNSYNCHRONISED) throw new BerthwatchError('unavailable', 'NTP_UNSYNCHRONISED', 'the time server does not know the time itself');
  const rootDistanceMs = (view.getInt32(4) / 2 + view.getUint32(8)) / 65.536;
  if (rootDistanceMs < 0 || rootDistanceMs > MOST_ROOT_DISTANCE_MS) throw new BerthwatchError('unavailable', 'NTP_UNSYNCHRONISED', `the time server is ${Math.round(rootDistanceMs)} ms from its own source`);
  const receivedAt = readTimestamp(view, 32);
  const sentAt = readTimestamp(view, 40);
  if (receivedAt === null || sentAt === null || sentAt < receivedAt) throw wrong('the answer holds no times');
  return { version, stratum, receivedAt, sentAt, rootDistanceMs };
}

/** Unix ms; null for "unknown". Without the topmost bit it is a time after 2036 (RFC 4330, clause 3). */
function readTimestamp(view: DataView, at: number): number | null {
  const seconds = view.getUint32(at);
  const fraction = view.getUint32(at + 4);
  if (seconds === 0 && fraction === 0) return null;
  const since1900 = seconds < 0x8000_0000 ? seconds + ERA_SECONDS : seconds;
  return (since1900 - UNIX_EPOCH + fraction / ERA_SECONDS) * 1000;
}
