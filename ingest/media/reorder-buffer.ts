import type { RtpPacket } from './rtp-packet.js';

export interface ReorderOptions {
  /** Packets looked ahead at most (a power of two); 256 packets are about half a second of 4 Mb/s. */
  capacity?: number;
  /** A hole is waited for this long, milliseconds of the times given to `push`. */
  maxWaitMs?: number;
}

export interface ReorderStats {
  received: number;
  duplicates: number;
  /** Came after their place had been given up. */
  late: number;
  /** Places given up. */
  lost: number;
  /** Sequence jumps taken for a restarted sender. */
  restarts: number;
}

/** `gap`: packets missing right before this one; `restart`: the sender began a new sequence. */
export type ReorderSink = (packet: RtpPacket, gap: number, restart: boolean, arrivalMs: number) => void;

// RFC 3550 appendix A.1: a jump further than this is a restart or a stray, never mere loss.
const MAX_DROPOUT = 3000;

const signed16 = (value: number): number => ((value & 0xffff) << 16) >> 16;

/**
 * Puts the packets of one UDP stream back in order. A pure processor: memory is bounded by `capacity` packets, time comes
 * in with each call. Loss is reported once, as `gap` of the packet after the hole.
 */
export class ReorderBuffer {
  readonly #ring: (RtpPacket | undefined)[];
  readonly #arrivals: Float64Array;
  readonly #mask: number;
  readonly #maxWaitMs: number;
  readonly #sink: ReorderSink;
  #next = -1;
  #held = 0;
  #heldBytes = 0;
  #gap = 0;
  #restart = false;
  /** Since when the packet at `#next` has been missing while later ones are held. */
  #waitingSince = 0;
  /** After a wild sequence number: the number that would confirm a restart, and the packet that had it, which then counts. */
  #suspect = -1;
  #wild: { packet: RtpPacket; arrivalMs: number } | null = null;
  readonly stats: ReorderStats = { received: 0, duplicates: 0, late: 0, lost: 0, restarts: 0 };

  constructor(sink: ReorderSink, { capacity = 256, maxWaitMs = 200 }: ReorderOptions = {}) {
    if ((capacity & (capacity - 1)) !== 0 || capacity < 2) throw new RangeError('capacity must be a power of two');
    this.#ring = new Array<RtpPacket | undefined>(capacity).fill(undefined);
    this.#arrivals = new Float64Array(capacity);
    this.#mask = capacity - 1;
    this.#maxWaitMs = maxWaitMs;
    this.#sink = sink;
  }

  /** Packets held back at the moment. */
  get held(): number {
    return this.#held;
  }

  get heldBytes(): number {
    return this.#heldBytes + (this.#wild?.packet.payload.length ?? 0);
  }

  push(packet: RtpPacket, nowMs: number): void {
    this.stats.received++;
    if (this.#next < 0) this.#next = packet.sequence;
    if (this.#held > 0) this.poll(nowMs);
    const ahead = signed16(packet.sequence - this.#next);
    if (ahead === 0) {
      this.#trust();
      this.#emit(packet, nowMs);
      this.#drain(nowMs);
    } else if (ahead > 0 && ahead <= MAX_DROPOUT) {
      this.#trust();
      this.#hold(packet, ahead, nowMs);
    } else if (ahead < 0 && ahead >= -MAX_DROPOUT && packet.sequence !== this.#suspect) {
      this.#late(packet, ahead, nowMs);
    } else if (packet.sequence === this.#suspect) {
      this.#begin(packet, nowMs);
    } else {
      // One wild number proves nothing; the next in line to it does.
      this.#doubt(packet, nowMs);
    }
  }

  /** Gives up on holes that were waited for long enough. Call now and then while no packets come. */
  poll(nowMs: number): void {
    while (this.#held > 0 && nowMs - this.#waitingSince >= this.#maxWaitMs) this.#skipHole(nowMs);
  }

  /** Hands out everything held, holes or not (end of stream). */
  flush(nowMs: number): void {
    while (this.#held > 0) this.#skipHole(nowMs);
  }

  /** Forgets the sequence (another sender follows); counters stay. */
  reset(): void {
    this.#ring.fill(undefined);
    this.#held = 0;
    this.#heldBytes = 0;
    this.#next = -1;
    this.#gap = 0;
    this.#trust();
  }

  #trust(): void {
    this.#suspect = -1;
    this.#wild = null;
  }

  #doubt(packet: RtpPacket, arrivalMs: number): void {
    this.#suspect = (packet.sequence + 1) & 0xffff;
    this.#wild = { packet, arrivalMs };
  }

  #hold(packet: RtpPacket, ahead: number, nowMs: number): void {
    while (ahead > this.#mask) {
      if (this.#held > 0) {
        const before = this.#next;
        this.#skipHole(nowMs);
        ahead -= (this.#next - before) & 0xffff;
      } else {
        this.#giveUp(ahead);
        ahead = 0;
      }
    }
    if (ahead === 0) {
      this.#emit(packet, nowMs);
      this.#drain(nowMs);
      return;
    }
    const slot = packet.sequence & this.#mask;
    if (this.#ring[slot]) {
      this.stats.duplicates++;
      return;
    }
    if (this.#held === 0) this.#waitingSince = nowMs;
    this.#ring[slot] = packet;
    this.#arrivals[slot] = nowMs;
    this.#held++;
    this.#heldBytes += packet.payload.length;
  }

  #late(packet: RtpPacket, ahead: number, nowMs: number): void {
    // Without remembering every number a duplicate of a delivered packet and a latecomer look the same; the ones just
    // behind are nearly always duplicates or stragglers, and either way they are dropped.
    this.stats.late++;
    if (ahead < -this.#mask) this.#doubt(packet, nowMs);
  }

  /** A restarted sender: what was held belongs to the old sequence and goes out first. */
  #begin(packet: RtpPacket, nowMs: number): void {
    const first = this.#wild;
    this.flush(nowMs);
    this.#trust();
    this.#restart = true;
    this.stats.restarts++;
    if (first) this.#emit(first.packet, first.arrivalMs);
    this.#emit(packet, nowMs);
  }

  #emit(packet: RtpPacket, arrivalMs: number): void {
    const gap = this.#gap;
    const restart = this.#restart;
    this.#gap = 0;
    this.#restart = false;
    this.#next = (packet.sequence + 1) & 0xffff;
    this.#sink(packet, gap, restart, arrivalMs);
  }

  #drain(nowMs: number): void {
    while (this.#held > 0) {
      const slot = this.#next & this.#mask;
      const packet = this.#ring[slot];
      if (!packet) {
        this.#waitingSince = nowMs;
        return;
      }
      this.#ring[slot] = undefined;
      this.#held--;
      this.#heldBytes -= packet.payload.length;
      this.#emit(packet, this.#arrivals[slot] as number);
    }
  }

  #skipHole(nowMs: number): void {
    let missing = 0;
    while (!this.#ring[(this.#next + missing) & this.#mask] && missing <= this.#mask) missing++;
    this.#giveUp(missing);
    this.#drain(nowMs);
  }

  #giveUp(count: number): void {
    this.stats.lost += count;
    this.#gap += count;
    this.#next = (this.#next + count) & 0xffff;
  }
}
