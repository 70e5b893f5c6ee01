import type { Clock } from '../../base/clock.js';
import { serializeMessage } from './codec.js';
import type { SipRequest, SipResponse } from './message.js';
import { NamedTimers } from './named-timers.js';
import type { SipTimers } from './timers.js';

export interface ServerHooks {
  send(bytes: Uint8Array): void;
  /** Timer H: a final response to INVITE was never acknowledged. */
  onUnacknowledged(): void;
  onTerminated(): void;
}

export interface ServerTransaction {
  /** Null once it is not needed any more: thousands of answered requests are remembered for half a minute, for their repetitions alone. */
  readonly request: SipRequest | null;
  /** The request came again: repeats the last response, byte for byte. */
  retransmitted(): void;
  respond(response: SipResponse): void;
  /** An ACK that belongs to this INVITE came. */
  acknowledged(): void;
  readonly answered: boolean;
  terminate(): void;
}

abstract class BaseServerTransaction implements ServerTransaction {
  request: SipRequest | null;
  protected readonly timers: SipTimers;
  protected readonly reliable: boolean;
  protected readonly hooks: ServerHooks;
  protected last: Uint8Array | null = null;
  protected final = false;
  protected readonly running: NamedTimers;

  constructor(request: SipRequest, reliable: boolean, timers: SipTimers, clock: Clock, hooks: ServerHooks) {
    this.request = request;
    this.reliable = reliable;
    this.timers = timers;
    this.hooks = hooks;
    this.running = new NamedTimers(clock);
  }

  get answered(): boolean {
    return this.final;
  }

  retransmitted(): void {
    if (this.last) this.hooks.send(this.last);
  }

  respond(response: SipResponse): void {
    if (this.final || this.running.ended) return;
    this.last = serializeMessage(response);
    this.final = response.status >= 200;
    this.hooks.send(this.last);
    if (this.final) this.afterFinal(response);
  }

  acknowledged(): void {}

  terminate(): void {
    if (this.running.ended) return;
    this.running.end();
    this.hooks.onTerminated();
  }

  protected abstract afterFinal(response: SipResponse): void;
}

/** RFC 3261 17.2.2, figure 8: timer J. */
export class NonInviteServerTransaction extends BaseServerTransaction {
  protected override afterFinal(): void {
    this.request = null;
    // On a connection nothing is retransmitted by the network, but sloppy devices repeat there too: a short memory is kept.
    this.running.arm('J', this.reliable ? this.timers.t4 : 64 * this.timers.t1, () => this.terminate());
  }
}

/** RFC 3261 17.2.1, figure 7, and 13.3.1.4 for the repetition of 2xx: timers G, H, I and L. */
export class InviteServerTransaction extends BaseServerTransaction {
  #acknowledged = false;

  protected override afterFinal(response: SipResponse): void {
    const success = response.status < 300;
    this.running.arm('H', 64 * this.timers.t1, () => {
      if (!this.#acknowledged) this.hooks.onUnacknowledged();
      this.terminate();
    });
    // A 2xx travels end to end and is repeated on connections as well (RFC 3261 13.3.1.4).
    if (!this.reliable || success) this.#repeatAfter(this.timers.t1);
  }

  #repeatAfter(ms: number): void {
    this.running.arm('G', ms, () => {
      this.#repeatAfter(Math.min(2 * ms, this.timers.t2));
      this.retransmitted();
    });
  }

  override acknowledged(): void {
    if (!this.final || this.#acknowledged) return;
    this.#acknowledged = true;
    this.last = null;
    this.running.disarm('G');
    this.running.arm('H', this.reliable ? 0 : this.timers.t4, () => this.terminate());
  }
}
