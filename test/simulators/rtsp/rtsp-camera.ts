import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { SeededRandom } from '../common/random.js';
import { ToneSource } from '../camera/media/g711.js';
import { ClipPlayer, type Picture, type PictureSink } from '../camera/media/clip-player.js';
import { Mp4Clip } from '../camera/media/mp4-clip.js';
import { payloads } from './payload.js';

export interface RtspCameraOptions {
  /** MP4 without B-frames, shown again and again. */
  clip: string;
  /** Null: no authentication. */
  user: string | null;
  password: string;
  /** Path of the stream. */
  path?: string;
  /** A tone of 440 Hz as a second medium. */
  audio?: 'g711a' | 'g711u' | 'g726';
  misbehaviour?: {
    /** UDP: so many of a hundred packets never leave. */
    lossPercent?: number;
    /** Only one session at a time: the newest one ends those before. */
    oneSession?: boolean;
    /** From the nth picture of a session on, its clock is set back by an hour. */
    clockJumpAfter?: number;
    /** From so many pictures of a session on, this clip of the same codec is shown: another size, other parameter sets. */
    otherClip?: { after: number; clip: string };
    /** After so many pictures of a session nothing more is sent. */
    silentAfter?: number;
    /** After so many pictures of a session the connection is closed. */
    hangUpAfter?: number;
    /** Transports that are refused with 461. */
    refuses?: 'tcp' | 'udp';
  };
}

interface Request {
  method: string;
  url: string;
  headers: Map<string, string>;
}

const REALM = 'simulated camera';

/** A camera that is asked by RTSP (RFC 2326) with digest authentication (RFC 2617), media interleaved or by UDP (RFC 3550). */
export class RtspCamera {
  readonly #options: RtspCameraOptions;
  readonly #clip: Mp4Clip;
  readonly #sessions = new Set<Session>();
  #server: Server | null = null;
  /** Methods in the order in which they came, over all connections. */
  readonly requests: string[] = [];

  constructor(options: RtspCameraOptions) {
    this.#options = options;
    this.#clip = Mp4Clip.open(options.clip);
  }

  async start(port = 0): Promise<number> {
    const server = createServer((socket) => {
      const session: Session = new Session(socket, this.#options, this.#clip, this.requests, () => this.#sessions.delete(session), () => {
        if (this.#options.misbehaviour?.oneSession) for (const other of [...this.#sessions]) if (other !== session) other.close();
      });
      this.#sessions.add(session);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const session of [...this.#sessions]) session.close();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
    this.#server = null;
  }
}

/** One medium of a session. */
class Track {
  udp: { socket: UdpSocket; port: number } | null = null;
  channel: number | null = null;
  timestamp = randomBytes(4).readUInt32BE();
  readonly #ssrc = randomBytes(4).readUInt32BE();
  #sequence = randomBytes(2).readUInt16BE();

  constructor(private readonly payloadType: number) {}

  packet(payload: Buffer, marker: boolean): Buffer {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = (marker ? 0x80 : 0) | this.payloadType;
    header.writeUInt16BE(this.#sequence, 2);
    header.writeUInt32BE(this.timestamp, 4);
    header.writeUInt32BE(this.#ssrc, 8);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    return Buffer.concat([header, payload]);
  }

  close(): void {
    this.udp?.socket.close();
    this.udp = null;
  }
}

class Session implements PictureSink {
  readonly midGop = false;
  readonly #socket: Socket;
  readonly #options: RtspCameraOptions;
  readonly #clip: Mp4Clip;
  readonly #player: ClipPlayer;
  readonly #nonce = randomBytes(12).toString('hex');
  readonly #id = randomBytes(6).toString('hex');
  readonly #requests: string[];
  readonly #onClosed: () => void;
  #input = Buffer.alloc(0);
  readonly #video = new Track(96);
  readonly #audio: Track | null;
  readonly #tone: ToneSource | null;
  readonly #random = new SeededRandom(7);
  readonly #onPlay: () => void;
  #other: Mp4Clip | null = null;
  #pictures = 0;

  constructor(socket: Socket, options: RtspCameraOptions, clip: Mp4Clip, requests: string[], onClosed: () => void, onPlay: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#clip = clip;
    this.#requests = requests;
    this.#onClosed = onClosed;
    this.#onPlay = onPlay;
    const { audio } = options;
    this.#audio = audio ? new Track(audio === 'g711u' ? 0 : audio === 'g711a' ? 8 : 97) : null;
    this.#tone = audio ? new ToneSource(audio === 'g711u' ? 'g711u' : 'g711a') : null;
    this.#player = new ClipPlayer(clip, { speed: 1, loop: true, timeline: 'held', atEnd: 'still', scenarioStart: null, rewindGops: 0 }, { clipEnded: () => undefined });
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.close());
    socket.on('data', (chunk) => this.#receive(chunk));
  }

  close(): void {
    this.#player.close();
    this.#video.close();
    this.#audio?.close();
    this.#socket.destroy();
    this.#onClosed();
  }

  ended(): void {
    this.close();
  }

  picture(picture: Picture): void {
    const { silentAfter = Infinity, hangUpAfter = Infinity } = this.#options.misbehaviour ?? {};
    this.#pictures += 1;
    if (this.#pictures > hangUpAfter) return this.close();
    if (this.#pictures > silentAfter) return;
    if (this.#pictures === (this.#options.misbehaviour?.clockJumpAfter ?? -1)) this.#video.timestamp = (this.#video.timestamp - 3600 * 90_000) >>> 0;
    const { otherClip } = this.#options.misbehaviour ?? {};
    if (otherClip && this.#pictures > otherClip.after) this.#other ??= Mp4Clip.open(otherClip.clip);
    const shown = this.#other ? this.#other.picture((this.#pictures - (otherClip?.after ?? 0) - 1) % this.#other.length) : picture;
    const parts = payloads(this.#clip.codec, shown.annexB);
    parts.forEach((payload, i) => this.#send(this.#video, payload, i === parts.length - 1));
    this.#video.timestamp = (this.#video.timestamp + picture.duration) >>> 0;
    const sound = this.#tone?.next(picture.duration);
    if (!this.#audio || !sound) return;
    this.#send(this.#audio, sound, false);
    this.#audio.timestamp = (this.#audio.timestamp + sound.length) >>> 0;
  }

  #send(track: Track, payload: Buffer, marker: boolean): void {
    const packet = track.packet(payload, marker);
    const lossy = this.#options.misbehaviour?.lossPercent ?? 0;
    if (track.udp) {
      if (lossy === 0 || !this.#random.percent(lossy)) track.udp.socket.send(packet, track.udp.port, '127.0.0.1');
    } else if (track.channel !== null) this.#socket.write(Buffer.concat([Buffer.from([0x24, track.channel, packet.length >> 8, packet.length & 0xff]), packet]));
  }

  #receive(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    for (;;) {
      // RTCP of the receiver, interleaved.
      if (this.#input[0] === 0x24) {
        if (this.#input.length < 4 || this.#input.length < 4 + this.#input.readUInt16BE(2)) return;
        this.#input = this.#input.subarray(4 + this.#input.readUInt16BE(2));
        continue;
      }
      const end = this.#input.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [first = '', ...lines] = this.#input.subarray(0, end).toString('latin1').split('\r\n');
      this.#input = this.#input.subarray(end + 4);
      const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).trim().toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
      const [method = '', url = ''] = first.split(' ');
      this.#requests.push(method);
      void this.#answer({ method, url, headers });
    }
  }

  async #answer(request: Request): Promise<void> {
    const { method, url } = request;
    if (method === 'OPTIONS') return this.#reply(request, 200, { Public: 'OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN' });
    if (!this.#isAllowed(request)) return this.#reply(request, 401, { 'WWW-Authenticate': `Digest realm="${REALM}", nonce="${this.#nonce}"` });
    if (!new URL(url).pathname.startsWith(this.#options.path ?? '/stream1')) return this.#reply(request, 404);
    if (method === 'DESCRIBE') return this.#reply(request, 200, { 'Content-Type': 'application/sdp', 'Content-Base': `${url}/` }, this.#description());
    if (method === 'SETUP') return this.#setUp(request);
    if (method === 'PLAY') {
      this.#reply(request, 200, { Session: this.#id, Range: 'npt=0-' });
      this.#onPlay();
      return this.#player.attach(this);
    }
    if (method === 'TEARDOWN') {
      this.#reply(request, 200, { Session: this.#id });
      return this.#player.close();
    }
    this.#reply(request, method === 'GET_PARAMETER' ? 200 : 501, { Session: this.#id });
  }

  async #setUp(request: Request): Promise<void> {
    const transport = request.headers.get('transport') ?? '';
    const tcp = /RTP\/AVP\/TCP/i.test(transport);
    const track = request.url.endsWith('track2') ? this.#audio : this.#video;
    if (!track) return this.#reply(request, 404);
    if (this.#options.misbehaviour?.refuses === (tcp ? 'tcp' : 'udp')) return this.#reply(request, 461);
    if (tcp) {
      track.channel = Number(/interleaved=(\d+)/.exec(transport)?.[1] ?? 0);
      return this.#reply(request, 200, { Session: `${this.#id};timeout=60`, Transport: `RTP/AVP/TCP;unicast;interleaved=${track.channel}-${track.channel + 1}` });
    }
    const port = Number(/client_port=(\d+)/.exec(transport)?.[1] ?? 0);
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    track.udp = { socket, port };
    const own = socket.address().port;
    this.#reply(request, 200, { Session: `${this.#id};timeout=60`, Transport: `RTP/AVP;unicast;client_port=${port}-${port + 1};server_port=${own}-${own + 1}` });
  }

  #description(): string {
    const name = this.#clip.codec === 'h264' ? 'H264' : 'H265';
    const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=camera', 'c=IN IP4 0.0.0.0', 't=0 0', 'a=control:*', 'm=video 0 RTP/AVP 96', `a=rtpmap:96 ${name}/90000`, ...(name === 'H264' ? ['a=fmtp:96 packetization-mode=1'] : []), 'a=control:track1'];
    const { audio } = this.#options;
    if (audio === 'g711a') lines.push('m=audio 0 RTP/AVP 8', 'a=rtpmap:8 PCMA/8000', 'a=control:track2');
    if (audio === 'g711u') lines.push('m=audio 0 RTP/AVP 0', 'a=rtpmap:0 PCMU/8000', 'a=control:track2');
    if (audio === 'g726') lines.push('m=audio 0 RTP/AVP 97', 'a=rtpmap:97 G726-32/8000', 'a=control:track2');
    return `${lines.join('\r\n')}\r\n`;
  }

  #isAllowed({ method, headers }: Request): boolean {
    const { user, password } = this.#options;
    if (user === null) return true;
    const sent = headers.get('authorization') ?? '';
    const field = (name: string): string => new RegExp(`\\b${name}="([^"]*)"`).exec(sent)?.[1] ?? '';
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const expected = md5(`${md5(`${user}:${REALM}:${password}`)}:${this.#nonce}:${md5(`${method}:${field('uri')}`)}`);
    return field('username') === user && field('nonce') === this.#nonce && field('response') === expected;
  }

  #reply(request: Request, status: number, headers: Record<string, string> = {}, body = ''): void {
    const reasons: Record<number, string> = { 200: 'OK', 401: 'Unauthorized', 404: 'Not Found', 461: 'Unsupported Transport', 501: 'Not Implemented' };
    const lines = [`RTSP/1.0 ${status} ${reasons[status] ?? ''}`, `CSeq: ${request.headers.get('cseq') ?? '0'}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : []), '', body];
    if (!this.#socket.destroyed) this.#socket.write(lines.join('\r\n'));
  }
}
