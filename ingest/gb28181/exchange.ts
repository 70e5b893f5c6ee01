import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { SipEndpoint } from '../sip/endpoint.js';
import { excerpt } from '../sip/scanner.js';
import type { Device } from './device.js';
import { readGbVersion } from './gb-version.js';
import { buildManscdp, MANSCDP_TYPE, type ManscdpField, type ManscdpMessage, type ManscdpRoot } from './manscdp.js';
import type { RequestFactory } from './request-factory.js';
import type { XmlElement } from './xml.js';

export interface ExchangeOptions {
  clock: Clock;
  /** How long a device may take to take a MESSAGE, and then to begin its answer, ms. */
  answerTimeoutMs: number;
  /** A multi-part answer ends when no part came for so long, ms. */
  quietMs: number;
}

/** One command or question to a device. */
export interface Ask {
  root: Extract<ManscdpRoot, 'Query' | 'Control'>;
  cmdType: string;
  /** The device or channel that is spoken of; the device itself unless given. */
  about?: string;
  fields: readonly ManscdpField[];
  /** Takes one part of the answer; true when that was the last. */
  take: (element: XmlElement) => boolean;
  /** Ends the wait early, as if the last part had come. */
  until?: Promise<unknown>;
}

/** The longest time over which the parts of one answer may come. */
const MAX_ANSWER_MS = 300_000;
/** Questions that one device may leave open at a time: more would be a loop of ours or a page gone wild. */
const MAX_OPEN_PER_DEVICE = 64;

/** Answers of ours that one device may leave unacknowledged. */
const MAX_OPEN_ANSWERS = 128;

/** Refusals by which a device says that it does not know what was asked, not that it is in trouble. */
const NOT_SUPPORTED = new Set([403, 404, 405, 415, 420, 488, 489, 501, 606]);

interface Waiting {
  device: Device;
  part(element: XmlElement): void;
}

/**
 * Questions and commands by MESSAGE: the device takes them with 200, and its answer comes later, in MESSAGEs of its own with
 * the same SN (GB/T 28181-2016 9.3 and 9.5).
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #endpoint: SipEndpoint;
  readonly #factory: RequestFactory;
  readonly #waiting = new Map<string, Waiting>();
  #sn = randomInt(1, 100_000);

  constructor(options: ExchangeOptions, endpoint: SipEndpoint, factory: RequestFactory) {
    this.#options = options;
    this.#endpoint = endpoint;
    this.#factory = factory;
  }

  /** Takes a Response in; false where nobody waits for it. */
  receive(device: Device, message: ManscdpMessage): boolean {
    const waiting = message.sn === null ? this.#onlyOne(device, message.cmdType) : this.#waiting.get(keyOf(device, message.cmdType, message.sn));
    waiting?.part(message.element);
    return waiting !== undefined;
  }

  /** Some firmware leaves SN out of its answers; with a single question open there is no doubt what is meant. */
  #onlyOne(device: Device, cmdType: string): Waiting | undefined {
    const prefix = keyOf(device, cmdType, null);
    const open = [...this.#waiting].filter(([key]) => key.startsWith(prefix));
    return open.length === 1 ? open[0]?.[1] : undefined;
  }

  /** The next SN, for messages that begin here. */
  nextSn(): number {
    this.#sn = (this.#sn % 999_999_999) + 1;
    return this.#sn;
  }

  /** Sends a command that has no answer but its 200. @throws BerthwatchError unavailable, or conflict where it is refused */
  async tell(device: Device, ask: Omit<Ask, 'take' | 'until'>): Promise<void> {
    await this.#send(device, ask.cmdType, buildManscdp(ask.root, ask.cmdType, this.nextSn(), ask.about ?? device.id, ask.fields, device.charset));
  }

  /**
   * Sends a message whose own 200 is of no interest. A device that has us answer faster than it takes the answers gets no more of
   * them for a while.
   */
  answer(device: Device, body: Uint8Array): void {
    if (device.openAnswers >= MAX_OPEN_ANSWERS) return;
    device.openAnswers++;
    let open = true;
    const done = (): void => {
      if (open) device.openAnswers--;
      open = false;
    };
    this.#endpoint.send(device.flow, this.#message(device, body), { onResponse: (response) => (response.status >= 200 ? done() : undefined), onFailure: done });
  }

  /**
   * Sends a question and feeds the parts of its answer to `take` until that returns true, or no more come.
   * @throws BerthwatchError unavailable where not a single part came, conflict where the device refuses
   */
  async ask(device: Device, ask: Ask): Promise<void> {
    const { clock, answerTimeoutMs, quietMs } = this.#options;
    if ([...this.#waiting.values()].filter((waiting) => waiting.device === device).length >= MAX_OPEN_PER_DEVICE) {
      throw new BerthwatchError('unavailable', 'GB_QUERY_TOO_MANY', `device ${device.id} has ${MAX_OPEN_PER_DEVICE} unanswered questions already: try again when they have ended`, { detail: { deviceId: device.id } });
    }
    const { cmdType } = ask;
    const sn = this.nextSn();
    const key = keyOf(device, cmdType, sn);
    let cancel: () => void = () => undefined;
    let cancelLimit: () => void = () => undefined;
    let began = false;
    let silence: () => void = () => undefined;
    try {
      const answered = new Promise<void>((resolve, reject) => {
        silence = (): void => reject(unanswered(device, ask, `it took the ${wordOf(ask)} but sent no answer in ${answerTimeoutMs} ms`, 'GB_QUERY_TIMEOUT'));
        this.#waiting.set(key, {
          device,
          part: (element) => {
            began = true;
            cancel();
            if (ask.take(element)) resolve();
            else cancel = clock.after(quietMs, resolve);
          },
        });
        void ask.until?.then(() => {
          began = true;
          resolve();
        });
        // However slowly and often a device repeats itself, the question ends.
        cancelLimit = clock.after(MAX_ANSWER_MS, resolve);
      });
      // Rejections are looked at below, after the MESSAGE itself has been answered.
      answered.catch(() => undefined);
      const body = buildManscdp(ask.root, cmdType, sn, ask.about ?? device.id, ask.fields, device.charset);
      await Promise.race([this.#send(device, cmdType, body, ask), answered]);
      if (!began) cancel = clock.after(answerTimeoutMs, silence);
      await answered;
    } finally {
      cancel();
      cancelLimit();
      this.#waiting.delete(key);
    }
  }

  #message(device: Device, body: Uint8Array): ReturnType<RequestFactory['create']> {
    const request = this.#factory.create('MESSAGE', device);
    request.headers.add('Content-Type', MANSCDP_TYPE);
    request.body = body;
    return request;
  }

  async #send(device: Device, cmdType: string, body: Uint8Array, ask: { root: Ask['root']; cmdType: string } = { root: 'Control', cmdType }): Promise<void> {
    let status: number;
    let reason: string;
    try {
      const response = await this.#endpoint.request(device.flow, this.#message(device, body), this.#options.answerTimeoutMs);
      ({ status, reason } = response);
      device.gbVersion = readGbVersion(response.headers.get('x-gb-ver')) ?? device.gbVersion;
    } catch (error) {
      throw unanswered(device, ask, messageOf(error), 'GB_QUERY_TIMEOUT', error);
    }
    if (status < 300) return;
    const unknown = NOT_SUPPORTED.has(status);
    throw unanswered(device, ask, `it refused with ${status} ${excerpt(reason)}`, unknown ? 'GB_NOT_SUPPORTED' : 'GB_QUERY_REFUSED', undefined, unknown ? 'conflict' : 'unavailable');
  }
}

function keyOf(device: Device, cmdType: string, sn: number | null): string {
  return `${device.id}|${cmdType.toLowerCase()}|${sn ?? ''}`;
}

function wordOf(ask: { root: Ask['root'] }): string {
  return ask.root === 'Query' ? 'query' : 'command';
}

function unanswered(device: Device, ask: { root: Ask['root']; cmdType: string }, why: string, code: string, cause?: unknown, kind: 'unavailable' | 'conflict' = 'unavailable'): BerthwatchError {
  return new BerthwatchError(kind, code, `device ${device.id} did not answer the ${ask.cmdType} ${wordOf(ask)}: ${why}`, { cause, detail: { deviceId: device.id, cmdType: ask.cmdType } });
}
