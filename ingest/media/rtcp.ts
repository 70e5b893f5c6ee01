/**
 * The little of RTCP that a receiver needs: RFC 3550 sections 6.4 (reports) and 6.5 (SDES), statistics of appendix A.3 and A.8.
 */

/** What a device's RTCP told. */
export interface RtcpNews {
  /** Sender report: whose, and the middle 32 bits of its NTP time. */
  senderReport: { ssrc: number; middleNtp: number } | null;
  /** SSRCs that said BYE. */
  byes: number[];
}

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const SDES = 202;
const BYE = 203;
const CNAME = 1;

/** Reads a compound packet; what is malformed ends it. Never throws. */
export function parseRtcp(bytes: Buffer): RtcpNews {
  const news: RtcpNews = { senderReport: null, byes: [] };
  let at = 0;
  while (at + 8 <= bytes.length) {
    if ((bytes[at] as number) >> 6 !== 2) break;
    const length = (bytes.readUInt16BE(at + 2) + 1) * 4;
    if (at + length > bytes.length) break;
    const type = bytes[at + 1];
    if (type === SENDER_REPORT && length >= 28) {
      news.senderReport = { ssrc: bytes.readUInt32BE(at + 4), middleNtp: bytes.readUInt32BE(at + 10) };
    } else if (type === BYE) {
      const count = Math.min((bytes[at] as number) & 0x1f, length / 4 - 1);
      for (let i = 0; i < count; i++) news.byes.push(bytes.readUInt32BE(at + 4 + i * 4));
    }
    at += length;
  }
  return news;
}

/** Counts one source's packets for receiver reports. Times in ms of any steady clock. */
export class ReceptionStatistics {
  #base = -1;
  #highest = 0;
  #received = 0;
  #expectedPrior = 0;
  #receivedPrior = 0;
  #jitter = 0;
  #transit: number | null = null;
  #middleNtp = 0;
  #senderReportAt = 0;

  packet(sequence: number, timestamp: number, arrivalMs: number): void {
    if (this.#base < 0) {
      this.#base = sequence;
      this.#highest = sequence;
    } else {
      const ahead = ((sequence - this.#highest) << 16) >> 16;
      if (ahead > 0) this.#highest += ahead;
    }
    this.#received++;
    const transit = (Math.round(arrivalMs * 90) - timestamp) | 0;
    if (this.#transit !== null) this.#jitter += (Math.min(Math.abs((transit - this.#transit) | 0), 900_000) - this.#jitter) / 16;
    this.#transit = transit;
  }

  senderReport(middleNtp: number, arrivalMs: number): void {
    this.#middleNtp = middleNtp;
    this.#senderReportAt = arrivalMs;
  }

  /** Receiver report with one block, and the SDES item that RFC 3550 section 6.1 demands beside it. */
  report(ownSsrc: number, sourceSsrc: number, cname: string, nowMs: number): Buffer {
    const expected = this.#base < 0 ? 0 : this.#highest - this.#base + 1;
    const lost = Math.max(-0x80_0000, Math.min(0x7f_ffff, expected - this.#received));
    const expectedNow = expected - this.#expectedPrior;
    const lostNow = expectedNow - (this.#received - this.#receivedPrior);
    this.#expectedPrior = expected;
    this.#receivedPrior = this.#received;
    const fraction = expectedNow > 0 && lostNow > 0 ? Math.min(255, Math.floor((lostNow * 256) / expectedNow)) : 0;
    const report = Buffer.alloc(32);
    report[0] = 0x81;
    report[1] = RECEIVER_REPORT;
    report.writeUInt16BE(7, 2);
    report.writeUInt32BE(ownSsrc, 4);
    report.writeUInt32BE(sourceSsrc, 8);
    report[12] = fraction;
    report.writeIntBE(lost, 13, 3);
    report.writeUInt32BE(this.#highest % 2 ** 32, 16);
    report.writeUInt32BE(Math.min(0xffff_ffff, Math.floor(this.#jitter)), 20);
    report.writeUInt32BE(this.#middleNtp, 24);
    const delay = this.#middleNtp === 0 ? 0 : Math.floor(((nowMs - this.#senderReportAt) * 65_536) / 1000);
    report.writeUInt32BE(Math.min(0xffff_ffff, Math.max(0, delay)), 28);
    return Buffer.concat([report, sourceDescription(ownSsrc, cname)]);
  }
}

function sourceDescription(ssrc: number, cname: string): Buffer {
  const name = Buffer.from(cname, 'utf8').subarray(0, 255);
  // Chunk: SSRC, CNAME item, at least one zero byte, to a multiple of four.
  const length = 4 + Math.ceil((4 + 2 + name.length + 1) / 4) * 4;
  const bytes = Buffer.alloc(length);
  bytes[0] = 0x81;
  bytes[1] = SDES;
  bytes.writeUInt16BE(length / 4 - 1, 2);
  bytes.writeUInt32BE(ssrc, 4);
  bytes[8] = CNAME;
  bytes[9] = name.length;
  name.copy(bytes, 10);
  return bytes;
}
