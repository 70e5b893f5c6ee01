import { crc32Mpeg, ptsField } from './ps-muxer.js';
import type { Codec } from './nal.js';

const PACKET = 188;
const PMT_PID = 0x100;
const VIDEO_PID = 0x101;
/** Packets that fit into an RTP payload (RFC 2250). */
export const TS_RUN = 7 * PACKET;

/** MPEG transport stream (ISO/IEC 13818-1 §2.4) with one video stream: what a camera set to the wrong encapsulation sends. */
export class TsMuxer {
  private readonly counters = new Map<number, number>();

  constructor(private readonly codec: Codec) {}

  picture(annexB: Buffer, key: boolean, pts: number): Buffer {
    const pes = Buffer.concat([Buffer.from([0, 0, 1, 0xe0, 0, 0, 0x84, 0x80, 5]), ptsField(pts), annexB]);
    return Buffer.concat([...(key ? [this.section(0, this.pat()), this.section(PMT_PID, this.pmt())] : []), ...this.packets(VIDEO_PID, pes)]);
  }

  private pat(): Buffer {
    return withCrc(Buffer.from([0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | (PMT_PID >> 8), PMT_PID & 0xff]));
  }

  private pmt(): Buffer {
    const type = this.codec === 'h264' ? 0x1b : 0x24;
    return withCrc(Buffer.from([0x02, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe0 | (VIDEO_PID >> 8), VIDEO_PID & 0xff, 0xf0, 0, type, 0xe0 | (VIDEO_PID >> 8), VIDEO_PID & 0xff, 0xf0, 0]));
  }

  private section(pid: number, bytes: Buffer): Buffer {
    const packet = Buffer.alloc(PACKET, 0xff);
    this.header(packet, pid, true, false);
    packet[4] = 0;
    bytes.copy(packet, 5);
    return packet;
  }

  private packets(pid: number, pes: Buffer): Buffer[] {
    const packets: Buffer[] = [];
    for (let at = 0; at < pes.length; ) {
      const packet = Buffer.alloc(PACKET, 0xff);
      const room = PACKET - 4;
      const rest = pes.length - at;
      const stuffing = Math.max(0, room - rest);
      this.header(packet, pid, at === 0, stuffing > 0);
      if (stuffing > 0) {
        packet[4] = stuffing - 1;
        if (stuffing > 1) packet[5] = 0;
      }
      const taken = Math.min(room, rest);
      pes.copy(packet, 4 + stuffing, at, at + taken);
      at += taken;
      packets.push(packet);
    }
    return packets;
  }

  private header(packet: Buffer, pid: number, begins: boolean, adaptation: boolean): void {
    const counter = this.counters.get(pid) ?? 0;
    this.counters.set(pid, (counter + 1) & 15);
    packet[0] = 0x47;
    packet[1] = (begins ? 0x40 : 0) | (pid >> 8);
    packet[2] = pid & 0xff;
    packet[3] = (adaptation ? 0x30 : 0x10) | counter;
  }
}

function withCrc(section: Buffer): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32Mpeg(section));
  return Buffer.concat([section, crc]);
}
