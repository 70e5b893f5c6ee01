import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { SipEndpoint } from '../sip/endpoint.js';
import { excerpt } from '../sip/scanner.js';
import { CatalogCollector, type CatalogResult } from './catalog.js';
import type { Device } from './device.js';
import { readDeviceInfo, type DeviceInfo } from './device-info.js';
import { buildManscdp, MANSCDP_TYPE, type ManscdpField, type ManscdpMessage } from './manscdp.js';
import type { RequestFactory } from './request-factory.js';
import type { XmlElement } from './xml.js';

export interface QueriesOptions {
  clock: Clock;
  /** How long a device may take to take a MESSAGE, and then to begin its answer, ms. */
  answerTimeoutMs: number;
  /** A multi-part answer ends when no part came for so long, ms. */
  quietMs: number;
}

/** The longest time over which the parts of one answer may come. */
const MAX_ANSWER_MS = 300_000;

interface Waiting {
  part(element: XmlElement): void;
}

/** Queries by MESSAGE: the answer comes later, in MESSAGEs of the device's own with the same SN (GB/T 28181-2016 9.5). */
export class Queries {
  readonly #options: QueriesOptions;
  readonly #endpoint: SipEndpoint;
  readonly #factory: RequestFactory;
  readonly #waiting = new Map<string, Waiting>();
  #sn = randomInt(1, 100_000);

  constructor(options: QueriesOptions, endpoint: SipEndpoint, factory: RequestFactory) {
    this.#options = options;
    this.#endpoint = endpoint;
    this.#factory = factory;
  }

  /** Takes a Response in; false where nobody waits for it. */
  receive(device: Device, message: ManscdpMessage): boolean {
    const waiting = this.#waiting.get(keyOf(device, message.cmdType, message.sn));
    waiting?.part(message.element);
    return waiting !== undefined;
  }

  /** @throws BerthwatchError unavailable where nothing came; a part of the list is a result with `complete: false` */
  async catalog(device: Device): Promise<CatalogResult> {
    const collector = new CatalogCollector();
    await this.#ask(device, 'Catalog', [], (element) => {
      collector.add(element);
      return collector.done;
    });
    return collector.result();
  }

  /** @throws BerthwatchError unavailable */
  async deviceInfo(device: Device): Promise<DeviceInfo> {
    let info: DeviceInfo | null = null;
    await this.#ask(device, 'DeviceInfo', [], (element) => {
      info = readDeviceInfo(element);
      return true;
    });
    return info as unknown as DeviceInfo;
  }

  /**
   * Sends a query and feeds the parts of its answer to `take` until that returns true, or no more come.
   * Rejects only where not a single part came.
   */
  async #ask(device: Device, cmdType: string, fields: readonly ManscdpField[], take: (element: XmlElement) => boolean): Promise<void> {
    const { clock, answerTimeoutMs, quietMs } = this.#options;
    this.#sn = (this.#sn % 999_999_999) + 1;
    const sn = this.#sn;
    const key = keyOf(device, cmdType, sn);
    let cancel: () => void = () => undefined;
    let cancelLimit: () => void = () => undefined;
    let began = false;
    let silence: () => void = () => undefined;
    try {
      const answered = new Promise<void>((resolve, reject) => {
        silence = (): void => reject(unanswered(device, cmdType, `it took the query but sent no answer in ${answerTimeoutMs} ms`));
        this.#waiting.set(key, {
          part: (element) => {
            began = true;
            cancel();
            if (take(element)) resolve();
            else cancel = clock.after(quietMs, resolve);
          },
        });
        // However slowly and often a device repeats itself, the query ends.
        cancelLimit = clock.after(MAX_ANSWER_MS, resolve);
      });
      // Rejections are looked at below, after the MESSAGE itself has been answered.
      answered.catch(() => undefined);
      const body = buildManscdp('Query', cmdType, sn, device.id, fields, device.charset);
      await Promise.race([this.#send(device, cmdType, body), answered]);
      if (!began) cancel = clock.after(answerTimeoutMs, silence);
      await answered;
    } finally {
      cancel();
      cancelLimit();
      this.#waiting.delete(key);
    }
  }

  async #send(device: Device, cmdType: string, body: Uint8Array): Promise<void> {
    const request = this.#factory.create('MESSAGE', device);
    request.headers.add('Content-Type', MANSCDP_TYPE);
    request.body = body;
    let status: number;
    let reason: string;
    try {
      ({ status, reason } = await this.#endpoint.request(device.flow, request, this.#options.answerTimeoutMs));
    } catch (error) {
      throw unanswered(device, cmdType, messageOf(error), error);
    }
    if (status >= 300) throw unanswered(device, cmdType, `it refused with ${status} ${excerpt(reason)}`);
  }
}

function keyOf(device: Device, cmdType: string, sn: number | null): string {
  return `${device.id}|${cmdType.toLowerCase()}|${sn ?? ''}`;
}

function unanswered(device: Device, cmdType: string, why: string, cause?: unknown): BerthwatchError {
  return new BerthwatchError('unavailable', 'GB_QUERY', `device ${device.id} did not answer the ${cmdType} query: ${why}`, { cause, detail: { deviceId: device.id, cmdType } });
}
