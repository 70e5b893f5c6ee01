import type { StrangerReason } from './media-event.js';

/** Whose packets a receiver takes for its stream's. */
export interface BoundSource {
  ssrc: number;
  host: string;
  port: number;
  /** False where the SSRC was learnt instead of negotiated. */
  expected: boolean;
}

export interface BindingOptions {
  expectedSsrc: number | null;
  /** Take no SSRC but the expected one. */
  strictSsrc: boolean;
  /**
   * SSRCs that belong to other sessions (now or lately). They are never learnt: a device that missed a BYE keeps sending
   * its old channel from the right address, and that would show one camera's picture as another's.
   */
  isForeignSsrc?: ((ssrc: number) => boolean) | undefined;
  /** A bound source silent for this long may be followed by another one (NAT gives new ports). */
  relearnAfterMs?: number;
  /** How long an unexpected SSRC must come while the expected one does not. */
  learnAfterMs?: number;
}

/**
 * `accept`: of the bound source; `bind`: accepted, and from now on this is the source (look at `bound`); otherwise why not.
 */
export type BindingVerdict = 'accept' | 'bind' | StrangerReason;

/** Packets of a changed SSRC in a row, from the very address and port of the stream, that make it the stream's. */
const CHANGE_AFTER = 3;

/**
 * Decides which packets on a port are the negotiated stream's (GB/T 28181: SSRC from the SDP's y=, sender = the device of
 * the dialog). Pure. The rules, first match wins:
 *
 * 1. The bound source with its SSRC is accepted.
 * 2. The expected SSRC binds, but only from the device: from the address that proved itself in signalling, which takes over from
 *    any other, or one that its answer or the configuration names (media may leave by another interface). As long as no
 *    address is known, from any.
 * 3. Another SSRC is learnt only if not strict, not another session's, from the device's own address, and after the expected
 *    one stayed away for a while; or if it replaces the old one on exactly the bound flow (an encoder restarted).
 * 4. A new address or port with the right SSRC is followed only when the bound source has fallen silent.
 */
export class StreamBinding {
  readonly #options: BindingOptions;
  readonly #relearnAfterMs: number;
  readonly #learnAfterMs: number;
  #expected: number | null;
  /** The address that proved itself in signalling first; empty while none is known. */
  #peers: readonly string[] = [];
  #bound: BoundSource | null = null;
  #lastAccepted = 0;
  #candidate: { ssrc: number; host: string; port: number; since: number; packets: number } | null = null;

  constructor(options: BindingOptions) {
    this.#options = options;
    this.#expected = options.expectedSsrc;
    this.#relearnAfterMs = options.relearnAfterMs ?? 5000;
    this.#learnAfterMs = options.learnAfterMs ?? 2000;
  }

  get bound(): BoundSource | null {
    return this.#bound;
  }

  /** The device's address as signalling proved it; null while it is not known. */
  get peerHost(): string | null {
    return this.#peers[0] ?? null;
  }

  /** The addresses that the device may send from, the one that proved itself in signalling first; none: any may. */
  set peers(hosts: readonly string[]) {
    this.#peers = hosts;
    // A device that has moved goes on from its new address at once.
    if (this.#bound && !this.isPeer(this.#bound.host)) this.sourceLeft();
  }

  isPeer(host: string): boolean {
    return this.#peers.length === 0 || this.#peers.includes(host);
  }

  /** The answerer may choose its own SSRC (y= of the 200 OK). */
  set expectedSsrc(ssrc: number | null) {
    this.#expected = ssrc;
  }

  get expectedSsrc(): number | null {
    return this.#expected;
  }

  get strict(): boolean {
    return this.#options.strictSsrc;
  }

  /** Whether the bound source has been silent long enough to be followed by another. */
  isQuiet(nowMs: number): boolean {
    return this.#bound === null || nowMs - this.#lastAccepted >= this.#relearnAfterMs;
  }

  /** The bound source is known to have left (its TCP connection closed): another may follow at once. */
  sourceLeft(): void {
    this.#lastAccepted = -Infinity;
  }

  judge(ssrc: number, host: string, port: number, nowMs: number): BindingVerdict {
    const bound = this.#bound;
    if (!bound) return this.#first(ssrc, host, port, nowMs);
    if (bound.host === host && bound.port === port) {
      if (ssrc === bound.ssrc) {
        this.#candidate = null;
        this.#lastAccepted = nowMs;
        return 'accept';
      }
      return this.#sameFlow(ssrc, host, port, nowMs);
    }
    return this.#otherFlow(bound, ssrc, host, port, nowMs);
  }

  #first(ssrc: number, host: string, port: number, nowMs: number): BindingVerdict {
    if (ssrc === this.#expected) return this.isPeer(host) ? this.#bind(ssrc, host, port, nowMs) : 'host';
    if (this.#expected === null) {
      if (!this.isPeer(host)) return 'host';
      return this.#foreign(ssrc) ? 'ssrc' : this.#bind(ssrc, host, port, nowMs);
    }
    if (!this.#learnable(ssrc, host)) return 'ssrc';
    const candidate = this.#follow(ssrc, host, port, nowMs);
    return nowMs - candidate.since >= this.#learnAfterMs ? this.#bind(ssrc, host, port, nowMs) : 'ssrc';
  }

  #sameFlow(ssrc: number, host: string, port: number, nowMs: number): BindingVerdict {
    if (ssrc === this.#expected) return this.#bind(ssrc, host, port, nowMs);
    if (this.#options.strictSsrc || this.#foreign(ssrc)) return 'ssrc';
    return this.#follow(ssrc, host, port, nowMs).packets >= CHANGE_AFTER ? this.#bind(ssrc, host, port, nowMs) : 'ssrc';
  }

  #otherFlow(bound: BoundSource, ssrc: number, host: string, port: number, nowMs: number): BindingVerdict {
    const right = ssrc === this.#expected || ssrc === bound.ssrc;
    if (right && host === this.peerHost && bound.host !== this.peerHost) return this.#bind(ssrc, host, port, nowMs);
    if (right && !this.isPeer(host)) return 'host';
    if (!this.isQuiet(nowMs)) return right ? 'port' : 'ssrc';
    // Back to the rules of an unbound port, except that a learnt SSRC counts as the stream's own.
    if (right) return this.#bind(ssrc, host, port, nowMs);
    if (!this.#learnable(ssrc, host)) return 'ssrc';
    return nowMs - this.#follow(ssrc, host, port, nowMs).since >= this.#learnAfterMs ? this.#bind(ssrc, host, port, nowMs) : 'ssrc';
  }

  #learnable(ssrc: number, host: string): boolean {
    return !this.#options.strictSsrc && host === this.peerHost && !this.#foreign(ssrc);
  }

  #foreign(ssrc: number): boolean {
    return this.#options.isForeignSsrc?.(ssrc) ?? false;
  }

  #follow(ssrc: number, host: string, port: number, nowMs: number): { since: number; packets: number } {
    const c = this.#candidate;
    if (c && c.ssrc === ssrc && c.host === host && c.port === port) c.packets++;
    else this.#candidate = { ssrc, host, port, since: nowMs, packets: 1 };
    return this.#candidate as { since: number; packets: number };
  }

  #bind(ssrc: number, host: string, port: number, nowMs: number): 'bind' {
    this.#bound = { ssrc, host, port, expected: this.#expected === null || ssrc === this.#expected };
    this.#candidate = null;
    this.#lastAccepted = nowMs;
    return 'bind';
  }
}
