import type { Clock } from '../../base/clock.js';
import { SipHeaders, type SipRequest, type SipResponse, NO_BODY } from './message.js';
import { serializeMessage } from './codec.js';
import { NamedTimers } from './named-timers.js';
import type { SipTimers } from './timers.js';

/** What a transaction needs of the world; it knows neither sockets nor its owner. */
export interface ClientHooks {
  send(bytes: Uint8Array): void;
  /** Provisional and final responses; for INVITE every repetition of a 2xx too, since each wants its ACK (RFC 6026). */
  onResponse(response: SipResponse): void;
  /** Timer B or F: no final response came. */
  onTimeout(): void;
  onTerminated(): void;
}

export interface ClientTransaction {
  readonly request: SipRequest;
  start(): void;
  receive(response: SipResponse): void;
  /** Ends it at once without calling anybody but `onTerminated`. */
  terminate(): void;
}

/** The part common to both client transactions: timers that end with it. */
abstract class BaseClientTransaction implements ClientTransaction {
  readonly request: SipRequest;
  protected readonly bytes: Uint8Array;
  protected readonly hooks: ClientHooks;
  protected readonly timers: SipTimers;
  protected readonly reliable: boolean;
  protected readonly running: NamedTimers;

  constructor(request: SipRequest, reliable: boolean, timers: SipTimers, clock: Clock, hooks: ClientHooks) {
    this.request = request;
    this.bytes = serializeMessage(request);
    this.hooks = hooks;
    this.timers = timers;
    this.reliable = reliable;
    this.running = new NamedTimers(clock);
  }

  abstract start(): void;
  abstract receive(response: SipResponse): void;

  terminate(): void {
    if (this.running.ended) return;
    this.running.end();
    this.hooks.onTerminated();
  }

  protected giveUp(): void {
    this.hooks.onTimeout();
    this.terminate();
  }
}

/** RFC 3261 17.1.2, figure 6: timers E, F and K. */
export class NonInviteClientTransaction extends BaseClientTransaction {
  #state: 'trying' | 'proceeding' | 'completed' = 'trying';

  override start(): void {
    this.running.arm('F', 64 * this.timers.t1, () => this.giveUp());
    if (!this.reliable) this.#retransmitAfter(this.timers.t1);
    this.hooks.send(this.bytes);
  }

  #retransmitAfter(ms: number): void {
    this.running.arm('E', ms, () => {
      this.#retransmitAfter(this.#state === 'proceeding' ? this.timers.t2 : Math.min(2 * ms, this.timers.t2));
      this.hooks.send(this.bytes);
    });
  }

  override receive(response: SipResponse): void {
    if (this.#state === 'completed') return;
    if (response.status < 200) {
      this.#state = 'proceeding';
      this.hooks.onResponse(response);
      return;
    }
    this.#state = 'completed';
    this.running.disarm('E');
    this.running.disarm('F');
    this.hooks.onResponse(response);
    if (this.reliable) this.terminate();
    else this.running.arm('K', this.timers.t4, () => this.terminate());
  }
}

/** RFC 3261 17.1.1, figure 5, with the Accepted state of RFC 6026: timers A, B, D and M. */
export class InviteClientTransaction extends BaseClientTransaction {
  #state: 'calling' | 'proceeding' | 'completed' | 'accepted' = 'calling';
  #ack: Uint8Array | null = null;

  override start(): void {
    this.running.arm('B', 64 * this.timers.t1, () => this.giveUp());
    if (!this.reliable) this.#retransmitAfter(this.timers.t1);
    this.hooks.send(this.bytes);
  }

  #retransmitAfter(ms: number): void {
    this.running.arm('A', ms, () => {
      this.#retransmitAfter(2 * ms);
      this.hooks.send(this.bytes);
    });
  }

  override receive(response: SipResponse): void {
    if (this.#state === 'completed') {
      if (response.status >= 300 && this.#ack) this.hooks.send(this.#ack);
      return;
    }
    if (this.#state === 'accepted') {
      if (response.status >= 200 && response.status < 300) this.hooks.onResponse(response);
      return;
    }
    this.running.disarm('A');
    if (response.status < 200) {
      // Timer B guards only the Calling state: a device that rings may take its time; the caller has its own limit.
      this.running.disarm('B');
      this.#state = 'proceeding';
      this.hooks.onResponse(response);
      return;
    }
    this.running.disarm('B');
    if (response.status < 300) {
      this.#state = 'accepted';
      this.running.arm('M', 64 * this.timers.t1, () => this.terminate());
      this.hooks.onResponse(response);
      return;
    }
    this.#state = 'completed';
    this.#ack = serializeMessage(ackForFailure(this.request, response));
    this.hooks.send(this.#ack);
    this.hooks.onResponse(response);
    if (this.reliable) this.terminate();
    else this.running.arm('D', Math.max(32_000, 64 * this.timers.t1), () => this.terminate());
  }
}

/** RFC 3261 17.1.1.3: the ACK for 300 to 699 belongs to the INVITE's transaction and carries its Via. */
function ackForFailure(invite: SipRequest, response: SipResponse): SipRequest {
  const headers = new SipHeaders();
  headers.add('Via', invite.headers.get('via') ?? '');
  for (const route of invite.headers.all('route')) headers.add('Route', route);
  headers.add('Max-Forwards', '70');
  headers.add('From', invite.headers.get('from') ?? '');
  headers.add('To', response.headers.get('to') ?? invite.headers.get('to') ?? '');
  headers.add('Call-ID', invite.headers.get('call-id') ?? '');
  headers.add('CSeq', `${Number.parseInt(invite.headers.get('cseq') ?? '1', 10)} ACK`);
  return { kind: 'request', method: 'ACK', uri: invite.uri, headers, body: NO_BODY };
}

/** RFC 3261 9.1: the CANCEL of an INVITE, in a transaction of its own with the INVITE's branch. */
export function cancelFor(invite: SipRequest): SipRequest {
  const headers = new SipHeaders();
  headers.add('Via', invite.headers.get('via') ?? '');
  for (const route of invite.headers.all('route')) headers.add('Route', route);
  headers.add('Max-Forwards', '70');
  for (const name of ['From', 'To', 'Call-ID']) headers.add(name, invite.headers.get(name) ?? '');
  headers.add('CSeq', `${Number.parseInt(invite.headers.get('cseq') ?? '1', 10)} CANCEL`);
  return { kind: 'request', method: 'CANCEL', uri: invite.uri, headers, body: NO_BODY };
}
