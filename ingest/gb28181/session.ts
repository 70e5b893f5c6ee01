import type { DialogState, UacDialog } from '../sip/dialog.js';
import type { MediaAnswer } from './answer.js';
import type { Device } from './device.js';
import type { InviteRequest } from './invite.js';
import type { PlaybackCommand } from './mansrtsp.js';
import type { OpenDialog } from './open-dialogs.js';

/**
 * Who ended a session: `server` by our own wish, `replaced` by a newer INVITE for the same stream, `camera` by BYE, `finished` by
 * MediaStatus 121 (a recording has been sent to its end), `offline` with its device, `lost` since the camera knows nothing of it.
 */
export type SessionCause = 'server' | 'replaced' | 'camera' | 'finished' | 'offline' | 'lost';

export interface SessionEnd {
  cause: SessionCause;
  /** For people. */
  reason: string;
}

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
  readonly closed: Promise<SessionEnd>;
  /**
   * Steers a recording by INFO; one command after the other.
   * @throws BerthwatchError bad-input (a speed or position that cannot be), conflict (a live stream; a device that does not take
   *   INFO, or refuses this), unavailable (no answer came; the session is over)
   */
  control(command: PlaybackCommand): Promise<void>;
  /** Ends it; resolves when the camera has confirmed or the wait for that is over. Harmless when ended already. */
  bye(): Promise<void>;
}

export interface SessionActions {
  bye(session: InviteSession): Promise<void>;
  control(session: InviteSession, command: PlaybackCommand): Promise<void>;
}

/** The server's side of a session. */
export class InviteSession implements GbSession {
  readonly deviceId: string;
  readonly channelId: string;
  readonly callId: string;
  readonly ssrc: string;
  readonly remoteMedia: { host: string; port: number } | null;
  readonly answer: MediaAnswer;
  readonly closed: Promise<SessionEnd>;
  readonly device: Device;
  readonly dialog: UacDialog;
  readonly request: InviteRequest;
  readonly #actions: SessionActions;
  readonly #openedAt: number;
  #resolve: (end: SessionEnd) => void = () => undefined;
  #ended = false;
  #bye: Promise<void> | null = null;
  #commands: Promise<unknown> = Promise.resolve();
  /** MANSRTSP counts its requests apart from SIP. */
  #rtspCSeq = 0;

  constructor(device: Device, request: InviteRequest, dialog: UacDialog, answer: MediaAnswer, openedAt: number, actions: SessionActions) {
    this.device = device;
    this.deviceId = device.id;
    this.request = request;
    this.channelId = request.channelId;
    this.callId = dialog.callId;
    this.ssrc = answer.ssrc;
    this.remoteMedia = answer.remoteMedia;
    this.answer = answer;
    this.dialog = dialog;
    this.#openedAt = openedAt;
    this.#actions = actions;
    this.closed = new Promise((resolve) => (this.#resolve = resolve));
  }

  get peerHost(): string {
    return this.device.source.host;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** For ending it without this object. */
  get open(): OpenDialog {
    const dialog: DialogState = this.dialog.state;
    return { deviceId: this.deviceId, channelId: this.channelId, ssrc: this.ssrc, mediaPort: this.request.mediaPort, openedAt: this.#openedAt, dialog };
  }

  nextRtspCSeq(): number {
    return ++this.#rtspCSeq;
  }

  control(command: PlaybackCommand): Promise<void> {
    const turn = this.#commands.then(() => this.#actions.control(this, command));
    this.#commands = turn.catch(() => undefined);
    return turn;
  }

  bye(): Promise<void> {
    if (this.#ended && !this.#bye) return Promise.resolve();
    this.#bye ??= this.#actions.bye(this);
    return this.#bye;
  }

  /** @returns false where it had ended before */
  end(cause: SessionCause, reason: string): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#resolve({ cause, reason });
    return true;
  }
}
