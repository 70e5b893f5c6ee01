import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { DialogState } from '../sip/dialog.js';

/** What must be known of a call to end it, also after this process has died. */
export interface OpenDialog {
  deviceId: string;
  channelId: string;
  /** Ten digits, as agreed. */
  ssrc: string;
  mediaPort: number;
  /** Unix ms. */
  openedAt: number;
  dialog: DialogState;
}

/** Where open dialogs are kept over a restart. Its failures cost nothing but that. */
export interface DialogStore {
  load(): Promise<OpenDialog[]>;
  put(dialog: OpenDialog): Promise<void>;
  remove(callId: string): Promise<void>;
}

/** How far a call of a former process may have counted in requests that it did not write down (INFO, UPDATE). */
const CSEQ_LEAP = 100_000;
const MAX_LEFT_PER_DEVICE = 64;
const MAX_LEFT = 20_000;
const MAX_AGE_MS = 7 * 86_400_000;
const MAX_ATTEMPTS = 5;
const MAX_UNWRITTEN = 50_000;

/**
 * Calls that a camera may still believe in: those of a former process, and those whose BYE was never confirmed. A camera that
 * missed its BYE pushes pictures for ever, so each is told again when its device is heard of next.
 */
export class OpenDialogs {
  readonly #store: DialogStore | null;
  readonly #logger: Logger;
  readonly #left = new Map<string, OpenDialog[]>();
  /** How often a call has been ended in vain. */
  readonly #attempts = new Map<string, number>();
  #count = 0;
  /** Writes happen one after the other, in order. */
  #queue: Promise<void> = Promise.resolve();
  #unwritten = 0;

  constructor(store: DialogStore | null, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Reads what a former process left; without it the server works all the same. */
  async load(now: number): Promise<void> {
    if (!this.#store) return;
    try {
      for (const open of await this.#store.load()) {
        if (now - open.openedAt > MAX_AGE_MS) this.#forget(open.dialog.callId);
        else this.#keep({ ...open, dialog: { ...open.dialog, cseq: open.dialog.cseq + CSEQ_LEAP } });
      }
      if (this.#count > 0) this.#logger.info({ calls: this.#count }, 'calls of a former run will be ended as their devices register');
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, 'open calls of a former run cannot be read: cameras may go on sending them');
    }
  }

  /** A call has begun. */
  opened(open: OpenDialog): void {
    this.#write(() => this.#store?.put(open));
  }

  /** The camera knows that a call is over. */
  closed(callId: string): void {
    this.#forget(callId);
  }

  /** A call is over, but the camera did not confirm it. */
  unconfirmed(open: OpenDialog): void {
    this.#keep(open);
  }

  /** The device can hear us: what it should be told to end. Each is named at most a few times. */
  toEnd(deviceId: string): OpenDialog[] {
    const all = this.#left.get(deviceId) ?? [];
    this.#left.delete(deviceId);
    this.#count -= all.length;
    return all.filter((open) => {
      const { callId } = open.dialog;
      const attempts = (this.#attempts.get(callId) ?? 0) + 1;
      if (attempts > MAX_ATTEMPTS) this.#forget(callId);
      else this.#attempts.set(callId, attempts);
      return attempts <= MAX_ATTEMPTS;
    });
  }

  /** All that are left to be ended. */
  left(): OpenDialog[] {
    return [...this.#left.values()].flat();
  }

  /** Resolves when everything told so far is written. */
  async flush(): Promise<void> {
    await this.#queue;
  }

  #keep(open: OpenDialog): void {
    const list = this.#left.get(open.deviceId) ?? [];
    if (list.some((one) => one.dialog.callId === open.dialog.callId)) return;
    if (list.length >= MAX_LEFT_PER_DEVICE || this.#count >= MAX_LEFT) {
      this.#forget(open.dialog.callId);
      return;
    }
    list.push(open);
    this.#left.set(open.deviceId, list);
    this.#count++;
  }

  #forget(callId: string): void {
    this.#attempts.delete(callId);
    this.#write(() => this.#store?.remove(callId));
  }

  #write(work: () => Promise<void> | undefined): void {
    // A catalogue that does not answer for hours: then what is not written is not known after a crash, no more.
    if (!this.#store || this.#unwritten >= MAX_UNWRITTEN) return;
    this.#unwritten++;
    this.#queue = this.#queue.then(work).finally(() => this.#unwritten--).catch((error: unknown) => this.#logger.warn({ error: messageOf(error) }, 'the list of open calls cannot be written'));
  }
}
