import { setTimeout as pause } from 'node:timers/promises';
import { EventLog, type SimulatorEvent } from '../common/event-log.js';
import { chinaIsoSeconds } from '../common/local-time.js';
import { Calls, PRIVATE_HOST, type Channel } from './calls.js';
import { parseCameraConfig, type CameraConfig, type CameraConfigInput } from './config.js';
import { ControlState } from './control-state.js';
import { DeviceSettings } from './device-settings.js';
import { element, encodeManscdp, parseManscdp } from './manscdp.js';
import { ClipPlayer } from './media/clip-player.js';
import { Mp4Clip } from './media/mp4-clip.js';
import { Notifier } from './notifier.js';
import { messageToPlatform } from './platform-message.js';
import { QueryAnswers } from './queries.js';
import { GOODBYE_MS, Registration } from './registration.js';
import { header } from './sip/message.js';
import { TcpTransport, UdpTransport, type Endpoint, type SignallingTransport } from './sip/transport.js';
import { SideAgent } from './sip/side-agent.js';
import { token, UserAgent, type IncomingRequest } from './sip/user-agent.js';

/** Clips are read once a process, however many cameras play them. */
const clips = new Map<string, Mp4Clip>();

function openClip(path: string): Mp4Clip {
  const known = clips.get(path) ?? Mp4Clip.open(path);
  clips.set(path, known);
  return known;
}

/**
 * A GB/T 28181 camera of 2016 or 2022: registers with a platform for as long as it runs, answers its queries and INVITEs, and sends a clip
 * as if it were seen now. Written from the standard alone, sharing no code with any platform.
 */
export class CameraSimulator {
  readonly config: CameraConfig;
  readonly log: EventLog;
  /** What it was told by DeviceControl, and how it is set. */
  readonly control: ControlState;
  readonly settings: DeviceSettings;
  /** Its subscriptions. */
  readonly notifier: Notifier;
  private number = 1000;
  private readonly domain: string;
  private transport: SignallingTransport;
  private readonly agent: UserAgent;
  private readonly registration: Registration;
  private readonly calls: Calls;
  private readonly queries: QueryAnswers;
  private readonly channels: Map<string, Channel>;
  private readonly side: SideAgent | null;
  private silent = false;

  /** Checks the configuration and reads the clips (throws what is wrong with them); opens nothing. */
  constructor(config: CameraConfigInput, onEvent: (event: SimulatorEvent) => void = () => {}) {
    this.config = parseCameraConfig(config);
    const { device, server, sip, misbehaviour } = this.config;
    this.log = new EventLog(onEvent, { camera: device.id });
    const domain = server.domain ?? server.id.slice(0, 10);
    this.domain = domain;
    this.channels = new Map(this.config.channels.map((channel) => [channel.id, this.makeChannel(channel)]));
    this.transport = this.makeTransport();
    const transport = (): SignallingTransport => this.transport;
    this.agent = new UserAgent(
      transport,
      { ...sip, userAgent: `${device.manufacturer} ${device.model}`, duplicateSends: misbehaviour.duplicateSip, contactHost: misbehaviour.privateContact ? PRIVATE_HOST : null },
      { onRequest: (request) => void this.handle(request), onAck: (message) => this.calls.acknowledge(message) },
    );
    this.side = misbehaviour.keepaliveFromOtherPort ? new SideAgent(this.config.server, { ...sip, userAgent: device.model, duplicateSends: false, contactHost: null }) : null;
    this.registration = new Registration(this.config, domain, transport, this.agent, this.log, this.side?.agent);
    this.settings = new DeviceSettings(this.config);
    this.control = new ControlState(this.config, this.log, () => this.reboot());
    this.notifier = new Notifier(this.config, this.agent, this.log);
    this.queries = new QueryAnswers(this.config, domain, this.agent, this.log, this.control, this.settings, () => this.registerAgain());
    this.calls = new Calls(this.config, this.channels, transport, this.agent, this.log, (channelId, callId) => this.mediaStatus(channelId, callId));
  }

  /** Begins to register; resolves at once. A platform that is not there is tried for ever. */
  start(): Promise<void> {
    this.log.emit('started', { signalling: this.config.signalling, channels: [...this.channels.keys()] });
    this.registration.start();
    const { natRebindAfterMs } = this.config.misbehaviour;
    if (natRebindAfterMs !== null) void this.log.waitFor('registered').then(() => pause(natRebindAfterMs, undefined, { ref: false })).then(() => (this.silent ? undefined : this.moveAddress()), () => {});
    return this.side?.open() ?? Promise.resolve();
  }

  /** Says BYE and unregister, then closes everything. */
  async close(): Promise<void> {
    await Promise.race([this.calls.hangUp('camera closes'), pause(GOODBYE_MS, undefined, { ref: false })]);
    await this.registration.stop(!this.config.misbehaviour.noUnregister);
    await this.silence();
    this.log.emit('closed');
  }

  /** Power cut: everything ends without a word to the platform. */
  async crash(): Promise<void> {
    this.agent.failAll('crashed');
    await Promise.all([this.registration.stop(false), this.calls.drop()]);
    await this.silence();
    this.log.emit('crashed');
  }

  /** A restart: calls and subscriptions are forgotten without a word, and the device registers anew, as one that knows nothing. */
  reboot(): void {
    this.notifier.close();
    void this.calls.drop();
    this.registration.forget();
    this.registration.interrupt('rebooted');
  }

  /** Reports an alarm, by MESSAGE and, where subscribed to and `quietly` is not set, by NOTIFY. Resolves with the status of the MESSAGE. */
  async alarm(alarm: { method: number; type?: number; priority?: number; description?: string; channelId?: string; by?: 'message' | 'notify' }): Promise<number | null> {
    const { device } = this.config;
    // After a device alarm it is mute until it is reset (2.3 of the field's notes).
    if (alarm.method === 2 && this.control.alarming) return null;
    if (alarm.method === 2) this.control.alarming = true;
    const inner =
      element('AlarmPriority', alarm.priority ?? 4) + element('AlarmMethod', alarm.method) + element('AlarmTime', chinaIsoSeconds(Date.now())) + element('AlarmDescription', alarm.description ?? '报警') +
      element('Longitude', 120.38) + element('Latitude', 36.07) + (alarm.type === undefined ? '' : `<Info>\r\n${element('AlarmType', alarm.type)}</Info>\r\n`);
    if (alarm.by === 'notify') {
      await this.notifier.alarm(inner);
      return null;
    }
    this.number += 1;
    const body = encodeManscdp('Notify', element('CmdType', 'Alarm') + element('SN', this.number) + element('DeviceID', alarm.channelId ?? device.id) + inner, device.version);
    return (await this.agent.request(messageToPlatform(this.config, this.domain, body))).status;
  }

  /** MediaStatus 121: what was asked for has been sent to its end. */
  async mediaStatus(channelId: string, callId?: string): Promise<number> {
    const { device, misbehaviour } = this.config;
    this.number += 1;
    const body = encodeManscdp('Notify', element('CmdType', 'MediaStatus') + element('SN', this.number) + element('DeviceID', channelId) + element('NotifyType', '121'), device.version);
    const options = { ...(callId === undefined ? {} : { callId }), ...(misbehaviour.mediaStatusFrom === null ? {} : { fromUser: misbehaviour.mediaStatusFrom }) };
    return (await this.agent.request(messageToPlatform(this.config, this.domain, body, options))).status;
  }

  /** X-GB-Ver of the platform's last answer to REGISTER. */
  get platformVersion(): string | null {
    return this.registration.platformVersion;
  }

  /** Goes on from another local port, as when a NAT forgets its mapping. UDP signalling only; the device itself notices nothing. */
  async moveAddress(): Promise<void> {
    const old = this.transport;
    this.transport = this.makeTransport(0);
    await old.close();
    await this.transport.open();
    this.log.emit('moved', { port: this.transport.local().port });
  }

  /** Registers anew now. */
  registerAgain(): void {
    this.registration.interrupt('asked to');
  }

  /** Ends the media of a channel (or all) by BYE from the camera's side. */
  hangUp(channelId?: string): Promise<void> {
    return this.calls.hangUp('asked to', channelId);
  }

  /** Refreshes its calls by re-INVITE; resolves with what the platform answered. `ssrc` tries to change it on the way. */
  refreshCalls(changes: { ssrc?: string } = {}): Promise<number[]> {
    return this.calls.refresh(changes);
  }

  get registered(): boolean {
    return this.registration.isRegistered;
  }

  get sessions(): ReturnType<Calls['stats']> {
    return this.calls.stats();
  }

  /** Where a channel's scenario is, in pictures since it began. */
  position(channelId: string): number {
    return this.channels.get(channelId)?.main.at ?? 0;
  }

  private makeChannel(channel: CameraConfig['channels'][number]): Channel {
    const player = (clip: string, stream: string): ClipPlayer =>
      new ClipPlayer(openClip(clip), this.config.playback, {
        clipEnded: (loops, finished) => this.log.emit(finished ? 'clip-finished' : 'loop-ended', { channel: channel.id, stream, loops }),
      });
    const main = player(channel.clip, 'main');
    return { config: channel, main, sub: channel.subClip === null ? main : player(channel.subClip, 'sub') };
  }

  private makeTransport(localPort = this.config.localPort): SignallingTransport {
    const server: Endpoint = { host: this.config.server.host, port: this.config.server.port };
    const onMessage = (...args: Parameters<UserAgent['receive']>): void => this.agent.receive(...args);
    const onDown = (reason: string): void => {
      this.log.emit('connection-lost', { reason });
      this.agent.failAll(`connection lost: ${reason}`);
      this.registration.interrupt(`connection lost: ${reason}`);
    };
    return this.config.signalling === 'udp' ? new UdpTransport(server, localPort, { onMessage, onDown }) : new TcpTransport(server, { onMessage, onDown });
  }

  private async silence(): Promise<void> {
    this.silent = true;
    await this.side?.close();
    this.notifier.close();
    for (const { main, sub } of this.channels.values()) {
      main.close();
      sub.close();
    }
    await this.transport.close();
  }

  private async handle(request: IncomingRequest): Promise<void> {
    const { message } = request;
    switch (message.method) {
      case 'INVITE':
        return this.calls.invite(request);
      case 'BYE':
        return this.calls.bye(request);
      case 'INFO':
        return this.calls.info(request);
      case 'SUBSCRIBE':
        return this.notifier.receive(request);
      case 'OPTIONS':
        return request.respond(200, 'OK', { toTag: token() });
      case 'CANCEL':
        // The INVITE was answered at once: its CANCEL is taken and changes nothing (RFC 3261 §9.2).
        if (this.calls.has(header(message, 'call-id') ?? '')) return request.respond(200, 'OK', { toTag: token() });
        return request.respond(481, 'Call/Transaction Does Not Exist', { toTag: token() });
      case 'MESSAGE': {
        const command = parseManscdp(message.body);
        if (!command) return request.respond(400, 'Bad Request', { toTag: token() });
        request.respond(200, 'OK', { toTag: token() });
        if (command.root.toLowerCase() === 'response') {
          this.log.emit('response', { cmdType: command.cmdType, sn: command.sn, text: command.text });
          return;
        }
        await this.queries.answer(command).catch((error: Error) => this.log.emit('answer-failed', { cmdType: command.cmdType, reason: error.message }));
        return;
      }
      default:
        return request.respond(501, 'Not Implemented', { toTag: token() });
    }
  }
}
