import type { EventLog } from '../common/event-log.js';
import type { CameraConfig, ChannelConfig } from './config.js';
import type { ClipPlayer, Picture, PicturePlayer } from './media/clip-player.js';
import { MediaSession } from './media/media-session.js';
import { RecordingPlayer, type RecordedPiece } from './media/recording-player.js';
import { TcpDialSender, TcpListenSender, UdpSender, type MediaSender } from './media/senders.js';
import { buildAnswer, parseOffer, type SdpOffer } from './sdp.js';
import { cseq, header, uriUser, type SipRequest } from './sip/message.js';
import type { SignallingTransport } from './sip/transport.js';
import { token, type IncomingRequest, type UserAgent } from './sip/user-agent.js';

/** Address that nobody outside can reach, as behind a NAT. */
export const PRIVATE_HOST = '192.168.1.64';
/** A progress line a second at 25 pictures a second. */
const PROGRESS_EVERY = 25;

/** A channel with what it plays. */
export interface Channel {
  config: ChannelConfig;
  main: ClipPlayer;
  sub: ClipPlayer;
}

interface Call {
  callId: string;
  channel: Channel;
  /** Dialog state, for a BYE of ours. */
  localTag: string;
  localIdentity: string;
  remoteIdentity: string;
  remoteTarget: string;
  sequence: number;
  /** Null in a live call. */
  recording: RecordingPlayer | null;
  stream: 'main' | 'sub';
  /** Our description, for a re-INVITE. */
  sdp: string;
  session: MediaSession;
  sender: MediaSender;
  /** The 200 that is repeated until the ACK. */
  repeat: NodeJS.Timeout | null;
  acknowledged: boolean;
  streaming: boolean;
}

/** INVITE dialogs of a device: answers, media, BYE both ways. */
export class Calls {
  private readonly calls = new Map<string, Call>();
  private answersToLose: number;
  private busyFor: number;

  constructor(
    private readonly config: CameraConfig,
    private readonly channels: ReadonlyMap<string, Channel>,
    private readonly transport: () => SignallingTransport,
    private readonly agent: UserAgent,
    private readonly log: EventLog,
    /** Says by MESSAGE that a recording has been sent to its end. */
    private readonly mediaStatus: (channelId: string, callId: string) => Promise<unknown>,
  ) {
    this.busyFor = config.misbehaviour.busyInvites;
    this.answersToLose = config.misbehaviour.loseInviteAnswers;
  }

  /** Is there a dialog of that Call-ID? */
  has(callId: string): boolean {
    return this.calls.has(callId);
  }

  /** What each session has sent. */
  stats(): (ReturnType<MediaSession['stats']> & { channel: string })[] {
    return [...this.calls.values()].map((call) => ({ channel: call.channel.config.id, ...call.session.stats() }));
  }

  async invite(request: IncomingRequest): Promise<void> {
    const { message } = request;
    const { misbehaviour } = this.config;
    request.respond(100, 'Trying');
    const callId = header(message, 'call-id') ?? '';
    const channelId = uriUser(message.uri) || uriUser(header(message, 'to') ?? '');
    const channel = this.channels.get(channelId);
    const offer = parseOffer(message.body.toString('utf8'));
    this.log.emit('invite', { channel: channelId, callId, offer });
    const refuse = (status: number, reason: string): void => {
      request.respond(status, reason, { toTag: token() });
      this.log.emit('invite-refused', { channel: channelId, status, reason });
    };
    if (this.busyFor > 0) {
      this.busyFor -= 1;
      return refuse(486, 'Busy Here');
    }
    if (misbehaviour.inviteStatus !== null) return refuse(misbehaviour.inviteStatus, 'As Configured');
    if (!channel) return refuse(404, 'Not Found');
    const kind = offer?.sessionName.toLowerCase() ?? '';
    if (!offer || !['play', 'playback', 'download'].includes(kind)) return refuse(488, 'Not Acceptable Here');
    const recorded = kind === 'play' ? null : this.recorded(channel, offer);
    if (recorded?.length === 0) return refuse(404, 'No Recording');
    const live = offer.stream === 'sub' ? channel.sub : channel.main;
    if (!recorded && live.over) return refuse(480, 'Clip Finished');

    // A new INVITE for a channel replaces what ran there: a platform that restarted does not know its old sessions. So does a re-INVITE.
    const previous = this.calls.get(callId);
    for (const call of [...this.calls.values()]) {
      const replaces = !recorded && !call.recording && call.channel === channel && call.stream === offer.stream;
      if (call === previous || replaces) await this.finish(call, call === previous ? 're-INVITE' : 'replaced by a new INVITE');
    }
    const holder: { call: Call | null } = { call: null };
    const player: PicturePlayer = recorded ? new RecordingPlayer(live.clip, recorded, kind === 'download' ? Math.min(offer.downloadSpeed, this.config.recordings.maxSpeed) : 1, { finished: () => void this.sentAll(holder.call) }) : live;
    await this.accept(request, channel, offer, player, previous?.localTag ?? token(), holder);
  }

  /** MANSRTSP in INFO (GB/T 28181-2016 9.8 and annex B): pause, play on, speed, wind. */
  info(request: IncomingRequest): void {
    const { message } = request;
    const { info, ignoresScale } = this.config.misbehaviour;
    const call = this.calls.get(header(message, 'call-id') ?? '');
    if (info === 'ignored') return;
    if (info === 'unknown') return request.respond(501, 'Not Implemented', { toTag: token() });
    if (!call) return request.respond(481, 'Call/Transaction Does Not Exist', { toTag: token() });
    const text = message.body.toString('latin1');
    const method = /^([A-Z]+) (?:MANS)?RTSP\/1\.0\r?\n/.exec(text)?.[1] ?? '';
    const value = (name: string): string | null => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'im').exec(text)?.[1] ?? null;
    const answer = (status: string): void => request.respond(200, 'OK', { headers: [{ name: 'Content-Type', value: 'Application/MANSRTSP' }], body: Buffer.from(`RTSP/1.0 ${status}\r\nCSeq: ${value('CSeq') ?? '0'}\r\n\r\n`, 'latin1') });
    this.log.emit('steered', { callId: call.callId, channel: call.channel.config.id, method, scale: value('Scale'), range: value('Range'), sequence: cseq(message).number });
    if (info === 'refused' || !call.recording) return answer('455 Method Not Valid in This State');
    const seconds = /npt=(\d+(?:\.\d+)?)-/.exec(value('Range') ?? '')?.[1];
    if (method === 'PAUSE' || method === 'TEARDOWN') call.recording.pause();
    else if (method === 'PLAY') call.recording.play(ignoresScale || value('Scale') === null ? null : Number(value('Scale')), seconds === undefined ? null : Number(seconds));
    else return answer('405 Method Not Allowed');
    answer('200 OK');
  }

  /** Refreshes every call by a re-INVITE of ours with the description that was agreed; resolves with the statuses. */
  async refresh(changes: { ssrc?: string } = {}): Promise<number[]> {
    return Promise.all(
      [...this.calls.values()].map(async (call) => {
        call.sequence += 1;
        const draft = { uri: call.remoteTarget, from: call.localIdentity, to: call.remoteIdentity, callId: call.callId, cseq: call.sequence };
        const sdp = changes.ssrc === undefined ? call.sdp : call.sdp.replace(/y=\d+/, `y=${changes.ssrc}`);
        const headers = [{ name: 'Contact', value: this.agent.contact(call.channel.config.id) }, { name: 'Content-Type', value: 'application/sdp' }];
        const response = await this.agent.request({ method: 'INVITE', ...draft, headers, body: Buffer.from(sdp, 'utf8') });
        if (response.status < 300) this.agent.sendOnce({ method: 'ACK', ...draft });
        this.log.emit('call-refreshed', { callId: call.callId, status: response.status, answer: parseOffer(response.body.toString('utf8')) });
        return response.status;
      }),
    );
  }

  /** What was recorded of the wanted time. */
  private recorded(channel: Channel, offer: SdpOffer): RecordedPiece[] {
    const wanted = { from: offer.from * 1000, to: offer.to * 1000 };
    const own = this.config.recordings.list.filter((recording) => recording.channelId === channel.config.id);
    if (own.length === 0) return wanted.to > wanted.from ? [wanted] : [];
    return own.map((recording) => ({ from: Math.max(wanted.from, recording.startsAt), to: Math.min(wanted.to, recording.endsAt) })).filter(({ from, to }) => to > from).sort((a, b) => a.from - b.from);
  }

  /** A recording has been sent to its end. */
  private async sentAll(call: Call | null): Promise<void> {
    if (!call || !this.calls.has(call.callId)) return;
    const { end } = this.config.recordings;
    this.log.emit('recording-sent', { callId: call.callId, channel: call.channel.config.id, end });
    if (end === 'bye') await this.sayBye(call, 'the recording has been sent');
    if (end === 'media-status') await this.mediaStatus(call.channel.config.id, call.callId).catch((error: Error) => this.log.emit('media-status-unanswered', { reason: error.message }));
  }

  /** ACK to a 200: media may flow. */
  acknowledge(message: SipRequest): void {
    const call = this.calls.get(header(message, 'call-id') ?? '');
    if (!call || call.acknowledged) return;
    call.acknowledged = true;
    if (call.repeat) clearTimeout(call.repeat);
    this.log.emit('ack', { channel: call.channel.config.id, callId: call.callId });
    this.startMedia(call);
  }

  async bye(request: IncomingRequest): Promise<void> {
    const call = this.calls.get(header(request.message, 'call-id') ?? '');
    if (!call) {
      request.respond(481, 'Call/Transaction Does Not Exist', { toTag: token() });
      return;
    }
    this.log.emit('bye', { channel: call.channel.config.id, callId: call.callId, by: 'platform', ignored: this.config.misbehaviour.ignoreBye });
    if (this.config.misbehaviour.ignoreBye) return;
    request.respond(200, 'OK');
    await this.finish(call, 'BYE of the platform');
  }

  /** Says BYE in every dialog of the channel (all channels without one). */
  async hangUp(reason: string, channelId?: string): Promise<void> {
    const mine = [...this.calls.values()].filter((call) => channelId === undefined || call.channel.config.id === channelId);
    await Promise.all(mine.map((call) => this.sayBye(call, reason)));
  }

  /** Ends everything without a word, as a power cut does. */
  async drop(): Promise<void> {
    await Promise.all([...this.calls.values()].map((call) => this.finish(call, 'dropped')));
  }

  private async accept(request: IncomingRequest, channel: Channel, offer: SdpOffer, player: PicturePlayer, localTag: string, holder: { call: Call | null }): Promise<void> {
    const { message } = request;
    const { misbehaviour } = this.config;
    const local = this.transport().local();
    const remote = { host: offer.host, port: offer.port };
    const callId = header(message, 'call-id') ?? '';
    const recording = player instanceof RecordingPlayer ? player : null;
    // `holder.call` is made below; these run only once media flows.
    const events = {
      connected: (detail: Record<string, unknown>): void => {
        if (!holder.call || holder.call.streaming) return;
        holder.call.streaming = true;
        holder.call.session.begin();
        this.log.emit('streaming', { channel: channel.config.id, callId, ...(recording ? { recording: recording.position } : { position: (player as ClipPlayer).at }), ...detail });
      },
      refused: (): void => holder.call?.session.noteRefusal(),
      broken: (reason: string): void => {
        if (holder.call) void this.sayBye(holder.call, reason);
      },
      received: (bytes: Buffer): void => {
        if (bytes.length >= 2 && bytes[1]! >= 200 && bytes[1]! <= 207) this.log.emit('rtcp', { channel: channel.config.id, packetType: bytes[1], bytes: bytes.length });
      },
    };
    const weListen = offer.transport === 'tcp' && offer.setup === 'active';
    const sender: MediaSender =
      offer.transport === 'udp' ? new UdpSender(remote, events, misbehaviour.ignoreIcmp, misbehaviour.oddMediaPort) : weListen ? new TcpListenSender(local.host, events) : new TcpDialSender(remote, events);
    let port: number;
    try {
      port = await sender.open();
    } catch (error) {
      request.respond(500, 'No Media Port', { toTag: localTag });
      this.log.emit('invite-refused', { channel: channel.config.id, status: 500, reason: (error as Error).message });
      return;
    }
    const offeredSsrc = offer.ssrc !== null && /^\d{1,10}$/.test(offer.ssrc) ? Number(offer.ssrc) % 2 ** 32 : 0;
    const ssrc = misbehaviour.rtpSsrc ?? (misbehaviour.answerSsrc !== null ? Number(misbehaviour.answerSsrc) % 2 ** 32 : offeredSsrc);
    const session = new MediaSession(
      player,
      sender,
      { ssrc, payloadType: misbehaviour.rtpPayloadType ?? misbehaviour.answerPayloadType ?? offer.payloadTypes[0] ?? 96, transport: offer.transport, audio: channel.config.audio, misbehaviour },
      () => {
        if (holder.call) void this.sayBye(holder.call, 'clip finished');
      },
      (picture) => this.progress(channel, picture),
    );
    const call: Call = {
      callId,
      channel,
      localTag,
      localIdentity: withTag(header(message, 'to') ?? '', localTag),
      remoteIdentity: header(message, 'from') ?? '',
      remoteTarget: /<([^>]+)>/.exec(header(message, 'contact') ?? '')?.[1] ?? `sip:${this.config.server.id}@${this.config.server.host}:${this.config.server.port}`,
      sequence: 0,
      recording,
      stream: offer.stream,
      sdp: '',
      session,
      sender,
      repeat: null,
      acknowledged: false,
      streaming: false,
    };
    holder.call = call;
    this.calls.set(callId, call);
    const sdp = buildAnswer({
      sessionName: offer.sessionName,
      from: offer.from,
      to: offer.to,
      fileSize: offer.sessionName.toLowerCase() === 'download' && this.config.recordings.fileSize ? Math.round(((offer.to - offer.from) * player.clip.peakBitrate()) / 8) : null,
      channelId: channel.config.id,
      host: misbehaviour.privateSdpAddress ? PRIVATE_HOST : local.host,
      port: misbehaviour.answerPortZero ? 0 : port,
      transport: offer.transport,
      setup: offer.transport === 'tcp' ? (weListen ? 'passive' : 'active') : null,
      ssrc: misbehaviour.noAnswerSsrc ? null : (misbehaviour.oddAnswerSsrc ?? misbehaviour.answerSsrc ?? offer.ssrc),
      ...(misbehaviour.answerPayloadType === null ? {} : { payloadType: misbehaviour.answerPayloadType }),
      encoding: misbehaviour.privateRtpmap ?? (misbehaviour.elementaryStream ? `${player.clip.codec.toUpperCase()}/90000` : 'PS/90000'),
      codec: player.clip.codec,
    });
    call.sdp = sdp;
    this.answer(request, call, sdp);
  }

  /** Sends the 200 and, over UDP, repeats it until the ACK comes (RFC 3261 §13.3.1.4). */
  private answer(request: IncomingRequest, call: Call, sdp: string): void {
    const { misbehaviour, sip } = this.config;
    const body = misbehaviour.noSdp ? Buffer.alloc(0) : Buffer.from(sdp, 'utf8');
    const headers = [{ name: 'Contact', value: this.agent.contact(call.channel.config.id) }];
    if (body.length > 0) headers.push({ name: 'Content-Type', value: 'application/sdp' });
    const respond = (): void => {
      if (this.answersToLose > 0) {
        this.answersToLose -= 1;
        this.log.emit('answer-lost', { channel: call.channel.config.id, callId: call.callId });
        return;
      }
      request.respond(200, 'OK', { headers, body, toTag: misbehaviour.noToTag ? null : call.localTag });
    };
    respond();
    this.log.emit('answered', { channel: call.channel.config.id, callId: call.callId });
    if (misbehaviour.startBeforeAck) this.startMedia(call);
    let waited = 0;
    let interval = sip.t1Ms;
    const again = (): void => {
      if (call.acknowledged || !this.calls.has(call.callId)) return;
      waited += interval;
      if (waited > 64 * sip.t1Ms) {
        this.log.emit('no-ack', { channel: call.channel.config.id, callId: call.callId });
        void this.sayBye(call, 'no ACK');
        return;
      }
      respond();
      interval = Math.min(interval * 2, 4000);
      call.repeat = setTimeout(again, interval);
    };
    call.repeat = setTimeout(again, interval);
  }

  private startMedia(call: Call): void {
    if (!call.streaming) call.sender.start();
  }

  private progress(channel: Channel, picture: Picture): void {
    if (picture.position % PROGRESS_EVERY !== 0) return;
    this.log.emit('position', { channel: channel.config.id, position: picture.position, frame: picture.frame, loop: picture.loop });
  }

  private async sayBye(call: Call, reason: string): Promise<void> {
    if (!this.calls.has(call.callId)) return;
    await this.finish(call, reason);
    this.log.emit('bye', { channel: call.channel.config.id, callId: call.callId, by: 'camera', reason });
    if (!this.transport().isOpen()) return;
    call.sequence += 1;
    await this.agent
      .request({ method: 'BYE', uri: call.remoteTarget, from: call.localIdentity, to: call.remoteIdentity, callId: call.callId, cseq: call.sequence })
      .then(
        (response) => this.log.emit('bye-answered', { callId: call.callId, status: response.status }),
        // A platform that died does not answer; its successor does not know the dialog. Either way it is over.
        (error: Error) => this.log.emit('bye-unanswered', { callId: call.callId, reason: error.message }),
      );
  }

  private async finish(call: Call, reason: string): Promise<void> {
    if (this.calls.get(call.callId) === call) this.calls.delete(call.callId);
    if (call.repeat) clearTimeout(call.repeat);
    const stats = call.session.stats();
    await call.session.end();
    this.log.emit('session-ended', { channel: call.channel.config.id, callId: call.callId, reason, ...stats });
  }
}

function withTag(identity: string, tag: string): string {
  return /;\s*tag=/i.test(identity) ? identity : `${identity};tag=${tag}`;
}

