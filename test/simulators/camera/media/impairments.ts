import type { SeededRandom } from '../../common/random.js';

export interface ImpairmentOptions {
  lossPercent: number;
  reorderPercent: number;
  duplicatePercent: number;
}

/** How many packets later a delayed one arrives. */
const DELAY_PACKETS = { from: 1, to: 9 };

/** What a bad network does to UDP packets. Counts what it did, so that a test can compare. */
export class Impairments {
  private delayed: { packet: Buffer; after: number }[] = [];
  lost = 0;
  reordered = 0;
  duplicated = 0;

  constructor(
    private readonly options: ImpairmentOptions,
    private readonly random: SeededRandom,
  ) {}

  /** The packets as they leave, in the order in which they leave. */
  apply(packets: readonly Buffer[]): Buffer[] {
    const { lossPercent, reorderPercent, duplicatePercent } = this.options;
    if (lossPercent === 0 && reorderPercent === 0 && duplicatePercent === 0) return packets as Buffer[];
    const leaving: Buffer[] = [];
    for (const packet of packets) {
      for (const late of this.delayed) late.after -= 1;
      if (this.random.percent(lossPercent)) this.lost += 1;
      else if (this.random.percent(reorderPercent)) {
        this.reordered += 1;
        this.delayed.push({ packet, after: this.random.integer(DELAY_PACKETS.from, DELAY_PACKETS.to) });
      } else {
        leaving.push(packet);
        if (this.random.percent(duplicatePercent)) {
          this.duplicated += 1;
          leaving.push(packet);
        }
      }
      for (const late of this.delayed) if (late.after <= 0) leaving.push(late.packet);
      this.delayed = this.delayed.filter((late) => late.after > 0);
    }
    return leaving;
  }
}
