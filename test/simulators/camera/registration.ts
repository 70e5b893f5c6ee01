import { authorization, parseChallenge } from './sip/digest.js';
import { header, parameter, type SipResponse } from './sip/message.js';
import { token, type UserAgent } from './sip/user-agent.js';
import type { SignallingTransport } from './sip/transport.js';
import type { EventLog } from '../common/event-log.js';
import type { CameraConfig } from './config.js';
import { keepaliveNotify } from './manscdp.js';
import { messageToPlatform } from './platform-message.js';

/** How long a camera that is switched off waits for an answer to its goodbye. */
export const GOODBYE_MS = 1500;

/** Keeps the camera registered for as long as it runs: register, keep alive, refresh, and begin again whatever happens. */
export class Registration {
  private registered = false;
  /** X-GB-Ver of the platform's last answer. */
  platformVersion: string | null = null;
  private stopping = false;
  private wake: (() => void) | null = null;
  private loop: Promise<void> = Promise.resolve();
  private callId = token();
  private sequence = 0;
  private keepaliveNumber = 0;
  private lastAuthorization: string | null = null;
  /** Set when the connection broke or the device is to register at once. */
  private interrupted: string | null = null;

  constructor(
    private readonly config: CameraConfig,
    private readonly domain: string,
    private readonly transport: () => SignallingTransport,
    private readonly agent: UserAgent,
    private readonly log: EventLog,
    /** Who sends the keepalives; the same agent but for `keepaliveFromOtherPort`. */
    private readonly keepaliveAgent: UserAgent = agent,
  ) {}

  get isRegistered(): boolean {
    return this.registered;
  }

  start(): void {
    this.loop = this.run();
  }

  /** Ends the loop; with `unregister` says so to the platform first (one try). */
  async stop(unregister: boolean): Promise<void> {
    this.stopping = true;
    this.wake?.();
    // A request to a dead platform must not hold us for its whole timeout.
    this.agent.failAll('the camera stops');
    await this.loop;
    if (unregister && this.registered && this.transport().isOpen()) {
      await this.register(0, GOODBYE_MS).then(() => this.log.emit('unregistered'), () => {});
    }
    this.registered = false;
  }

  /** The next REGISTER begins a new series, as after a restart. */
  forget(): void {
    this.callId = token();
    this.sequence = 0;
  }

  /** The connection is gone, or someone wants a new registration: begin again now. */
  interrupt(reason: string): void {
    this.interrupted = reason;
    this.wake?.();
  }

  private async run(): Promise<void> {
    const { backoffMinMs, backoffMaxMs } = this.config.registration;
    let pause = backoffMinMs;
    while (!this.stopping) {
      this.interrupted = null;
      try {
        await this.transport().open();
        const expiresS = await this.register(this.config.registration.expiresS);
        const since = performance.now();
        this.registered = true;
        pause = backoffMinMs;
        this.log.emit('registered', { expiresS });
        const reason = await this.stayRegistered(expiresS);
        if (this.stopping) return;
        this.registered = false;
        this.log.emit('registration-lost', { reason });
        // A platform that restarted is asked again at once; one that takes REGISTER and refuses what follows is not hammered.
        if (performance.now() - since < backoffMinMs) {
          this.interrupted = null;
          await this.sleep(backoffMinMs);
        }
      } catch (error) {
        if (this.stopping) return;
        this.registered = false;
        this.log.emit('registration-failed', { reason: (error as Error).message, retryInMs: pause });
        await this.sleep(pause);
        pause = Math.min(pause * 2, backoffMaxMs);
      }
    }
  }

  /** REGISTER, answered challenge included. Resolves with the granted expiry in seconds; throws when refused. */
  private async register(expiresS: number, timeoutMs = this.config.sip.timeoutMs): Promise<number> {
    const { device, server, misbehaviour } = this.config;
    const uri = `sip:${server.id}@${this.domain}`;
    const identity = `<sip:${device.id}@${this.domain}>`;
    const contact = this.agent.contact(device.id);
    const fromTag = token();
    const send = (credentials: string | null): Promise<SipResponse> => {
      this.sequence += 1;
      const draft = {
        method: 'REGISTER',
        uri,
        from: `${identity};tag=${fromTag}`,
        to: identity,
        callId: this.callId,
        cseq: this.sequence,
        headers: [
          { name: 'Contact', value: misbehaviour.contactExpiresOnly ? `${contact};expires=${expiresS}` : contact },
          ...(misbehaviour.contactExpiresOnly ? [] : [{ name: 'Expires', value: String(expiresS) }]),
          { name: 'X-GB-Ver', value: device.version },
          ...(credentials === null ? [] : [{ name: 'Authorization', value: credentials }]),
        ],
      };
      return this.agent.request(draft, timeoutMs);
    };
    let response = await send(misbehaviour.replayAuthorization ? this.lastAuthorization : null);
    // A stale nonce is answered by a second challenge; more would be a loop.
    for (let round = 0; response.status === 401 && round < 2; round += 1) {
      const challenge = parseChallenge(header(response, 'www-authenticate') ?? '');
      if (!challenge) throw new Error('401 without a Digest challenge that this camera understands');
      if (misbehaviour.ignoreQop || misbehaviour.qopWithoutCount) challenge.qopAuth = false;
      const username = misbehaviour.emptyUsername ? '' : (device.username ?? device.id);
      this.lastAuthorization = authorization(challenge, { username, password: device.password }, 'REGISTER', uri, misbehaviour.emptyCnonce ? '' : undefined, misbehaviour.shortNonceCount ? '1' : undefined);
      if (misbehaviour.qopWithoutCount) this.lastAuthorization += ', qop=auth';
      response = await send(this.lastAuthorization);
    }
    if (response.status < 200 || response.status > 299) {
      // A new Call-ID for the next attempt, as after a restart of the device.
      this.callId = token();
      throw new Error(`REGISTER refused: ${response.status} ${response.reason}`);
    }
    this.platformVersion = header(response, 'x-gb-ver') ?? null;
    const date = header(response, 'date');
    if (date !== undefined) this.log.emit('clock-set', { date });
    const granted = header(response, 'expires') ?? parameter(header(response, 'contact') ?? '', 'expires');
    return Number.isFinite(Number(granted)) && granted !== undefined ? Number(granted) : expiresS;
  }

  /** Keepalives and refreshes until something says that we are no longer registered: the reason. */
  private async stayRegistered(expiresS: number): Promise<string> {
    let refreshAt = performance.now() + expiresS * 1000 * 0.8;
    let missed = 0;
    for (;;) {
      if (this.interrupted) return this.interrupted;
      await this.sleep(Math.min(this.config.registration.keepaliveMs, Math.max(0, refreshAt - performance.now())));
      if (this.stopping) return 'stopping';
      if (this.interrupted) return this.interrupted;
      if (performance.now() >= refreshAt) {
        try {
          const granted = await this.register(this.config.registration.expiresS);
          refreshAt = performance.now() + granted * 1000 * 0.8;
          this.log.emit('refreshed', { expiresS: granted });
        } catch (error) {
          return `refresh: ${(error as Error).message}`;
        }
        continue;
      }
      try {
        const response = await this.keepalive();
        if (response.status >= 200 && response.status < 300) {
          missed = 0;
          this.log.emit('keepalive');
        } else if (this.config.misbehaviour.ignoreRefusedKeepalives) this.log.emit('keepalive-refused', { status: response.status });
        else return `keepalive refused: ${response.status} ${response.reason}`;
      } catch (error) {
        missed += 1;
        this.log.emit('keepalive-missed', { missed, reason: (error as Error).message });
        if (missed >= this.config.registration.missedKeepalives) return `${missed} keepalives without an answer`;
      }
    }
  }

  private keepalive(): Promise<SipResponse> {
    this.keepaliveNumber += 1;
    return this.keepaliveAgent.request(messageToPlatform(this.config, this.domain, keepaliveNotify(this.keepaliveNumber, this.config.device.id)));
  }

  private sleep(ms: number): Promise<void> {
    if (this.stopping || this.interrupted) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      this.wake = done;
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
    }).then(() => {
      this.wake = null;
    });
  }
}
