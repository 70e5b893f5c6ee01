/**
 * RTP packets, RFC 3550 section 5.1.
 *
 *     0                   1                   2                   3
 *     |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *     |                           timestamp                           |
 *     |           synchronization source (SSRC) identifier            |
 *     |            CSRC × CC, extension if X, payload, padding if P   |
 */
export interface RtpPacket {
  payloadType: number;
  marker: boolean;
  /** 16 bits, wraps. */
  sequence: number;
  /** 32 bits, wraps; 90 kHz for everything GB/T 28181 carries as video. */
  timestamp: number;
  ssrc: number;
  /** A view into the datagram, not a copy. */
  payload: Buffer;
}

/**
 * Why bytes are no RTP packet. `rtcp` is a lawful RTCP packet that came where RTP was expected (RFC 5761 section 4):
 * devices do send their first SR to the RTP port, and nothing may be learnt from it.
 */
export type RtpFault = 'short' | 'version' | 'rtcp' | 'header' | 'padding';

const FIXED_HEADER = 12;

/** Packet types 200 (SR) to 207 (XR) in the second byte, where RTP has its marker bit and payload type. */
export function isRtcpType(secondByte: number): boolean {
  return secondByte >= 200 && secondByte <= 207;
}

/** Reads one RTP packet; a string names the fault. An empty payload is lawful (keep-alives). Never throws. */
export function parseRtp(bytes: Buffer): RtpPacket | RtpFault {
  const length = bytes.length;
  if (length < 4) return 'short';
  const first = bytes[0] as number;
  if (first >> 6 !== 2) return 'version';
  const second = bytes[1] as number;
  if (isRtcpType(second)) return 'rtcp';
  if (length < FIXED_HEADER) return 'short';
  let start = FIXED_HEADER + (first & 0x0f) * 4;
  if (first & 0x10) {
    if (start + 4 > length) return 'header';
    start += 4 + bytes.readUInt16BE(start + 2) * 4;
  }
  if (start > length) return 'header';
  let end = length;
  if (first & 0x20) {
    const padding = bytes[length - 1] as number;
    if (padding === 0 || start + padding > length) return 'padding';
    end -= padding;
  }
  return {
    payloadType: second & 0x7f,
    marker: second >= 0x80,
    sequence: bytes.readUInt16BE(2),
    timestamp: bytes.readUInt32BE(4),
    ssrc: bytes.readUInt32BE(8),
    payload: bytes.subarray(start, end),
  };
}
