import type { MediaAnswer } from './answer.js';
import type { Device } from './device.js';
import type { InviteRequest } from './invite.js';
import type { UacDialog } from '../sip/dialog.js';

/** One stream that a camera has agreed to send. */
export interface GbSession {
  readonly deviceId: string;
  readonly channelId: string;
  readonly callId: string;
  /** Ten digits, as finally agreed; its numeric value stands in the RTP packets. */
  readonly ssrc: string;
  /** Where the camera says the media come from (a hint, see `MediaAnswer`); null where it does not say. */
  readonly remoteMedia: { host: string; port: number } | null;
  /** Where its signalling comes from: the address that proved who it is. */
  readonly peerHost: string;
  readonly answer: MediaAnswer;
  /** Resolves once, whoever ended the session. */
  readonly closed: Promise<{ reason: string }>;
  /** Ends it; resolves when the camera has confirmed or the wait for that is over. Harmless when ended already. */
  bye(): Promise<void>;
}

/** The server's side of a session. */
export class InviteSession implements GbSession {
  readonly deviceId: string;
  readonly channelId: string;
  readonly callId: string;
  readonly ssrc: string;
  readonly remoteMedia: { host: string; port: number } | null;
  readonly answer: MediaAnswer;
  readonly closed: Promise<{ reason: string }>;
  readonly device: Device;
  readonly dialog: UacDialog;
  readonly #sendBye: (session: InviteSession) => Promise<void>;
  #resolve: (end: { reason: string }) => void = () => undefined;
  #ended = false;
  #bye: Promise<void> | null = null;

  constructor(device: Device, request: InviteRequest, dialog: UacDialog, answer: MediaAnswer, sendBye: (session: InviteSession) => Promise<void>) {
    this.device = device;
    this.deviceId = device.id;
    this.channelId = request.channelId;
    this.callId = dialog.callId;
    this.ssrc = answer.ssrc;
    this.remoteMedia = answer.remoteMedia;
    this.answer = answer;
    this.dialog = dialog;
    this.#sendBye = sendBye;
    this.closed = new Promise((resolve) => (this.#resolve = resolve));
  }

  get peerHost(): string {
    return this.device.source.host;
  }

  get ended(): boolean {
    return this.#ended;
  }

  bye(): Promise<void> {
    if (this.#ended && !this.#bye) return Promise.resolve();
    this.#bye ??= this.#sendBye(this);
    return this.#bye;
  }

  /** @returns false where it had ended before */
  end(reason: string): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#resolve({ reason });
    return true;
  }
}
