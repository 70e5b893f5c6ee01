import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { cancelFor } from '../sip/client-transaction.js';
import { UacDialog } from '../sip/dialog.js';
import type { SipEndpoint } from '../sip/endpoint.js';
import type { Flow } from '../sip/flow.js';
import { parseCSeq, userOf } from '../sip/header-values.js';
import type { SipRequest, SipResponse } from '../sip/message.js';
import { readAnswer, type MediaAnswer } from './answer.js';
import type { Device } from './device.js';
import { badAnswer, connectionLost, noAnswer, refusedByDevice } from './diagnosis.js';
import type { GbEmitter } from './events.js';
import type { InviteRequest } from './invite.js';
import type { PlaybackCommand } from './mansrtsp.js';
import { buildOffer } from './offer.js';
import type { OpenDialogs } from './open-dialogs.js';
import { steer } from './recording-control.js';
import type { RequestFactory } from './request-factory.js';
import { InviteSession, type GbSession, type SessionCause } from './session.js';

export interface SessionsOptions {
  serverId: string;
  clock: Clock;
  logger: Logger;
  /** How long a camera may take to confirm BYE before we stop waiting, ms. */
  byeTimeoutMs: number;
  /** How long it may take to answer INFO, ms. */
  infoTimeoutMs: number;
}

/** 64*T1: how long repetitions of a 2xx may keep coming. */
const RELEASE_MEMORY_MS = 32_000;
const MAX_RELEASED = 4096;
/** Between a device's word that a recording has been sent and our BYE. */
const FINISH_GRACE_MS = 500;

/** In place of an answer of which no stream can come, for the session that only gets its BYE. */
const unusable = ({ ssrc }: InviteRequest): MediaAnswer => ({ sdp: null, ssrc, ssrcChosenByCamera: false, remoteMedia: null, payloads: [], fileSize: null, notes: [] });

/** Sessions of ours with cameras: INVITE, ACK, INFO and BYE (GB/T 28181-2016 9.2, 9.8, 9.9). */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #endpoint: SipEndpoint;
  readonly #factory: RequestFactory;
  readonly #events: GbEmitter;
  readonly #open: OpenDialogs;
  readonly #byCallId = new Map<string, InviteSession>();
  /** Call-IDs of calls that we gave up and whose late 2xx has been answered with BYE. */
  readonly #released = new Set<string>();
  /** Ends the INVITEs that are still undecided. */
  readonly #undecided = new Set<(why: string) => void>();

  constructor(options: SessionsOptions, endpoint: SipEndpoint, factory: RequestFactory, events: GbEmitter, open: OpenDialogs) {
    this.#options = options;
    this.#endpoint = endpoint;
    this.#factory = factory;
    this.#events = events;
    this.#open = open;
  }

  all(): GbSession[] {
    return [...this.#byCallId.values()];
  }

  get(callId: string): InviteSession | undefined {
    return this.#byCallId.get(callId);
  }

  /** @throws BerthwatchError unavailable, its message the diagnosis */
  invite(device: Device, wish: InviteRequest): Promise<GbSession> {
    const { clock, logger } = this.#options;
    const flow = device.flow;
    this.#replace(device, wish);
    const request = this.#inviteRequest(device, wish);
    return new Promise<GbSession>((resolve, reject) => {
      let ringing = false;
      let settled = false;
      let ack: Uint8Array | null = null;
      const settle = (): void => {
        settled = true;
        cancelTimer();
        this.#undecided.delete(abandon);
        wish.signal?.removeEventListener('abort', onAbort);
      };
      const fail = (code: string, message: string, detail: Record<string, unknown> = {}): void => {
        if (settled) return;
        settle();
        logger.warn({ device: device.id, channel: wish.channelId, ...detail }, message);
        reject(new BerthwatchError('unavailable', code, message, { detail: { deviceId: device.id, channelId: wish.channelId, ...detail } }));
      };
      const onResponse = (response: SipResponse): void => {
        if (response.status < 200) ringing = true;
        else if (response.status >= 300) fail('GB_INVITE_REFUSED', refusedByDevice(wish, response.status, response.reason), { status: response.status });
        else if (ack) flow.send(ack);
        else if (settled) this.#release(response, flow);
        else {
          const dialog = new UacDialog(response, request.uri);
          ack = this.#endpoint.sendStateless(flow, dialog.ack());
          const answer = readAnswer(response.body, wish, flow.remote.host);
          if ('problem' in answer) {
            const session = new InviteSession(device, wish, dialog, unusable(wish), clock.now(), this);
            void this.#byeDialog(session);
            fail('GB_BAD_ANSWER', badAnswer(wish, answer.problem));
            return;
          }
          settle();
          resolve(this.#begin(device, wish, dialog, answer));
        }
      };
      const transaction = this.#endpoint.send(flow, request, {
        onResponse,
        onFailure: (why) =>
          why === 'closed' ? fail('GB_CONNECTION_LOST', connectionLost(device, wish)) : fail('GB_INVITE_TIMEOUT', noAnswer(device, wish, wish.timeoutMs, ringing)),
      });
      // A camera that has said 100 is told to stop (RFC 3261 9.1); else a 2xx that comes after all is met by `onStray`.
      const withdraw = (): void => {
        if (!ringing) transaction.terminate();
        else {
          this.#endpoint.send(flow, cancelFor(request), { onResponse: () => undefined, onFailure: () => undefined });
          clock.after(RELEASE_MEMORY_MS, () => transaction.terminate());
        }
      };
      const abandon = (why: string): void => {
        fail('GB_INVITE_ABANDONED', `INVITE of channel ${wish.channelId} was given up: ${why}`);
        withdraw();
      };
      const onAbort = (): void => abandon(messageOf(wish.signal?.reason));
      const cancelTimer = clock.after(wish.timeoutMs, () => {
        fail('GB_INVITE_TIMEOUT', noAnswer(device, wish, wish.timeoutMs, ringing));
        withdraw();
      });
      this.#undecided.add(abandon);
      if (wish.signal?.aborted) onAbort();
      else wish.signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #inviteRequest(device: Device, wish: InviteRequest): SipRequest {
    const { serverId } = this.#options;
    const request = this.#factory.create('INVITE', device, wish.channelId);
    request.headers.add('Contact', this.#factory.contact(device.flow));
    request.headers.add('Subject', `${wish.channelId}:${wish.ssrc},${serverId}:0`);
    request.headers.add('Content-Type', 'application/sdp');
    request.body = buildOffer({
      serverId,
      channelId: wish.channelId,
      mediaHost: wish.mediaHost,
      mediaPort: wish.mediaPort,
      transport: wish.transport,
      ssrc: wish.ssrc,
      stream: wish.stream,
      dialect: wish.dialect ?? 'streamnumber',
      recording: wish.recording,
    });
    return request;
  }

  #begin(device: Device, wish: InviteRequest, dialog: UacDialog, answer: MediaAnswer): InviteSession {
    const session = new InviteSession(device, wish, dialog, answer, this.#options.clock.now(), this);
    this.#byCallId.set(session.callId, session);
    this.#open.opened(session.open);
    const { deviceId, channelId, callId, ssrc } = session;
    this.#options.logger.info({ device: deviceId, channel: channelId, callId, ssrc, recording: wish.recording?.kind, notes: answer.notes }, 'stream agreed');
    this.#events.emit('sessionStarted', { deviceId, channelId, callId, ssrc });
    return session;
  }

  /** A camera has one sender for each live stream: a new call for it must not meet the old one (`486 Busy Here`). */
  #replace(device: Device, wish: InviteRequest): void {
    if (wish.recording) return;
    for (const session of this.#byCallId.values()) {
      const { request } = session;
      if (session.device === device && !request.recording && request.channelId === wish.channelId && request.stream === wish.stream) void this.#endBy(session, 'replaced', 'a new INVITE took its place');
    }
  }

  #end(session: InviteSession, cause: SessionCause, reason: string): void {
    if (!session.end(cause, reason)) return;
    this.#byCallId.delete(session.callId);
    const { deviceId, channelId, callId, ssrc } = session;
    this.#options.logger.info({ device: deviceId, channel: channelId, callId, reason }, 'stream ended');
    this.#events.emit('sessionEnded', { deviceId, channelId, callId, ssrc, reason });
  }

  /** For `GbSession.bye`. */
  bye(session: InviteSession): Promise<void> {
    return this.#endBy(session, 'server', 'ended by the server');
  }

  /** For `GbSession.control`. */
  async control(session: InviteSession, command: PlaybackCommand): Promise<void> {
    if (await steer(session, command, this.#endpoint, this.#options.infoTimeoutMs)) return;
    await this.#endBy(session, 'lost', 'the camera does not know of it any more');
    throw new BerthwatchError('unavailable', 'GB_SESSION_OVER', `the recording of device ${session.deviceId} is over: the device does not know of it any more`, { detail: { deviceId: session.deviceId } });
  }

  async #endBy(session: InviteSession, cause: SessionCause, reason: string): Promise<void> {
    await this.#byeDialog(session);
    this.#end(session, cause, reason);
  }

  /** Sends BYE to where the device is now; never rejects: what a camera does not confirm is told to it again when it is heard of next. */
  async #byeDialog(session: InviteSession): Promise<void> {
    const { device, dialog } = session;
    try {
      await this.#endpoint.request(device.flow, dialog.request('BYE'), this.#options.byeTimeoutMs);
      this.#open.closed(dialog.callId);
    } catch (error) {
      this.#open.unconfirmed(session.open);
      this.#options.logger.debug({ device: device.id, callId: dialog.callId, error: messageOf(error) }, 'BYE was not confirmed');
    }
  }

  /** The camera said BYE. */
  endedByCamera(session: InviteSession): void {
    this.#open.closed(session.callId);
    this.#end(session, 'camera', 'the camera said BYE');
  }

  /**
   * MediaStatus 121: the camera has no more to send. Ends the session that is meant: by Call-ID where the device keeps to the
   * dialog, else its recordings of that channel, else its live streams of it.
   */
  mediaFinished(device: Device, callId: string, channelId: string | null): void {
    const ofDevice = [...this.#byCallId.values()].filter((session) => session.device === device);
    const byCall = ofDevice.filter((session) => session.callId === callId);
    const recordings = ofDevice.filter((session) => session.request.recording);
    const ofChannel = (sessions: InviteSession[]): InviteSession[] => sessions.filter((session) => session.channelId === channelId);
    const meant = [byCall, ofChannel(recordings), recordings.length === 1 ? recordings : [], ofChannel(ofDevice)].find((sessions) => sessions.length > 0) ?? [];
    for (const session of meant) {
      const end = (): void => {
        if (!session.ended) void this.#endBy(session, 'finished', 'the camera said that the media ended');
      };
      // BYE may cut off what a device has yet in its buffers.
      if (session.request.recording) this.#options.clock.after(FINISH_GRACE_MS, end);
      else end();
    }
  }

  /** The device can be reached: calls that it may still believe in are ended, before anything else is asked of it. */
  deviceReached(device: Device): void {
    for (const open of this.#open.toEnd(device.id)) {
      const dialog = new UacDialog(open.dialog, '');
      this.#options.logger.info({ device: device.id, channel: open.channelId, callId: dialog.callId, openedAt: open.openedAt }, 'a call left open is ended with BYE');
      this.#endpoint.request(device.flow, dialog.request('BYE'), this.#options.byeTimeoutMs).then(
        () => this.#open.closed(dialog.callId),
        () => this.#open.unconfirmed(open),
      );
    }
  }

  /** The device is gone. It is told BYE where it may still hear, without waiting. */
  deviceGone(device: Device, reason: string): void {
    for (const session of [...this.#byCallId.values()]) {
      if (session.device !== device) continue;
      if (device.flow.alive) void this.#byeDialog(session);
      else this.#open.unconfirmed(session.open);
      this.#end(session, 'offline', `device offline: ${reason}`);
    }
  }

  /**
   * A 2xx to an INVITE that nobody waits for any more: acknowledged and ended at once, or the camera would push a stream
   * for ever. Only for calls in our name, from a device's own address.
   */
  receiveStray(response: SipResponse, flow: Flow, known: boolean): void {
    if (!known || response.status < 200 || response.status >= 300) return;
    if (parseCSeq(response.headers.get('cseq') ?? '').method !== 'INVITE') return;
    if (userOf(response.headers.get('from')) !== this.#options.serverId) return;
    this.#release(response, flow);
  }

  #release(response: SipResponse, flow: Flow): void {
    const to = userOf(response.headers.get('to')) ?? '';
    const dialog = new UacDialog(response, this.#factory.uri(to, flow));
    this.#endpoint.sendStateless(flow, dialog.ack());
    if (this.#released.has(dialog.callId) || this.#released.size >= MAX_RELEASED) return;
    this.#released.add(dialog.callId);
    this.#options.clock.after(RELEASE_MEMORY_MS, () => this.#released.delete(dialog.callId));
    this.#options.logger.info({ channel: to, callId: dialog.callId }, 'a late answer to INVITE is ended with BYE');
    this.#endpoint.send(flow, dialog.request('BYE'), { onResponse: () => undefined, onFailure: () => undefined });
  }

  /** Ends everything; waits for confirmations at most the BYE timeout. */
  async close(): Promise<void> {
    for (const abandon of [...this.#undecided]) abandon('the server is closing');
    await Promise.all([...this.#byCallId.values()].map((session) => this.#endBy(session, 'server', 'the server is closing')));
    await this.#open.flush();
  }
}
