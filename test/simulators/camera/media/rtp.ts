/** RTP packets (RFC 3550 §5.1) and the sender report (§6.4.1). Pure. */
export interface RtpOptions {
  ssrc: number;
  payloadType: number;
  sequenceStart: number;
  marker: 'last' | 'never' | 'always';
  /** Header extension, CSRC and padding in every packet. */
  extras: boolean;
  /** Payload is cut without regard to picture ends. */
  glued: boolean;
}

/** With 12 bytes of header this keeps an IPv6 packet below 1500 bytes. */
const MAX_PAYLOAD = 1388;

export class RtpPacketiser {
  private sequence: number;
  private left = Buffer.alloc(0);
  /** What a sender report says. */
  packetsSent = 0;
  octetsSent = 0;

  constructor(private readonly options: RtpOptions) {
    this.sequence = options.sequenceStart;
  }

  /** Cuts one picture's bytes; all its packets share `timestamp` (wrapped to 32 bits here). */
  packetise(bytes: Buffer, timestamp: number): Buffer[] {
    const packets: Buffer[] = [];
    let rest = bytes;
    if (this.options.glued) {
      rest = Buffer.concat([this.left, bytes]);
      const whole = rest.length - (rest.length % MAX_PAYLOAD);
      this.left = Buffer.from(rest.subarray(whole));
      rest = rest.subarray(0, whole);
    }
    for (let at = 0; at < rest.length; at += MAX_PAYLOAD) {
      const payload = rest.subarray(at, at + MAX_PAYLOAD);
      const last = at + MAX_PAYLOAD >= rest.length;
      const marker = this.options.marker === 'always' || (this.options.marker === 'last' && last && !this.options.glued);
      packets.push(this.packet(payload, timestamp, marker));
    }
    return packets;
  }

  /** Payloads that are packets already; the marker ends the last. */
  payloads(list: readonly Buffer[], timestamp: number): Buffer[] {
    return list.map((payload, i) => this.packet(payload, timestamp, this.options.marker === 'always' || (this.options.marker === 'last' && i === list.length - 1)));
  }

  private packet(payload: Buffer, timestamp: number, marker: boolean): Buffer {
    const { ssrc, payloadType, extras } = this.options;
    const head = Buffer.alloc(extras ? 12 + 4 + 8 : 12);
    head[0] = extras ? 0x80 | 0x20 | 0x10 | 1 : 0x80;
    head[1] = (marker ? 0x80 : 0) | payloadType;
    head.writeUInt16BE(this.sequence, 2);
    head.writeUInt32BE(timestamp % 2 ** 32, 4);
    head.writeUInt32BE(ssrc, 8);
    if (extras) {
      head.writeUInt32BE(0x01020304, 12);
      // A one-word extension of an unknown profile.
      head.writeUInt16BE(0xabac, 16);
      head.writeUInt16BE(1, 18);
      head.writeUInt32BE(0x000001e0, 20);
    }
    this.sequence = (this.sequence + 1) & 0xffff;
    this.packetsSent += 1;
    this.octetsSent += payload.length;
    return Buffer.concat(extras ? [head, payload, Buffer.from([0, 0, 0, 4])] : [head, payload]);
  }

  /** Sender report with an SDES-free compound of one packet; `ntpMs` is Unix ms. */
  senderReport(ntpMs: number, timestamp: number): Buffer {
    const report = Buffer.alloc(28);
    report[0] = 0x80;
    report[1] = 200;
    report.writeUInt16BE(6, 2);
    report.writeUInt32BE(this.options.ssrc, 4);
    report.writeUInt32BE((Math.floor(ntpMs / 1000) + 2_208_988_800) % 2 ** 32, 8);
    report.writeUInt32BE(Math.floor(((ntpMs % 1000) / 1000) * 2 ** 32), 12);
    report.writeUInt32BE(timestamp % 2 ** 32, 16);
    report.writeUInt32BE(this.packetsSent % 2 ** 32, 20);
    report.writeUInt32BE(this.octetsSent % 2 ** 32, 24);
    return report;
  }
}
