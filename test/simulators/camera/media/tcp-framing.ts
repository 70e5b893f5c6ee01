import { randomBytes } from 'node:crypto';
import type { SeededRandom } from '../../common/random.js';

export interface TcpFramingOptions {
  tcpShortWritePercent: number;
  tcpGarbagePercent: number;
  dollarFraming: boolean;
}

/** RTP packets as a TCP byte stream: RFC 4571 (16-bit length), or what broken firmware makes of it. */
export class TcpFramer {
  damaged = 0;

  constructor(
    private readonly options: TcpFramingOptions,
    private readonly random: SeededRandom,
  ) {}

  frame(packets: readonly Buffer[]): Buffer {
    const parts: Buffer[] = [];
    for (const packet of packets) {
      if (this.random.percent(this.options.tcpGarbagePercent)) {
        this.damaged += 1;
        parts.push(randomBytes(this.random.integer(1, 200)));
      }
      const head = this.options.dollarFraming ? Buffer.from([0x24, 0, packet.length >> 8, packet.length & 0xff]) : Buffer.from([packet.length >> 8, packet.length & 0xff]);
      if (this.random.percent(this.options.tcpShortWritePercent)) {
        this.damaged += 1;
        parts.push(head, packet.subarray(0, this.random.integer(0, packet.length)));
      } else parts.push(head, packet);
    }
    return Buffer.concat(parts);
  }
}
