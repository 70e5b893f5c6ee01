import { createHash } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket as TcpSocket } from 'node:net';

/**
 * A camera for tests that writes its bytes by hand and shares no code with the server, so that an error in the codec
 * cannot hide behind itself. Text is latin1: one code unit per byte.
 */
export class TestCamera {
  readonly id: string;
  readonly transport: 'UDP' | 'TCP';
  readonly serverId: string;
  readonly domain: string;
  #udp: UdpSocket | null = null;
  #tcp: TcpSocket | null = null;
  readonly #host: string;
  #port = 0;
  #serverPort = 0;
  #pending = '';
  #cseq = 1;
  #inbox: string[] = [];
  #waiters: { match: (text: string) => boolean; resolve: (text: string) => void }[] = [];
  /** Called with each request of the server's; its result, if any, is sent back. */
  onRequest: (text: string) => string | null = () => null;
  closed = false;

  constructor(id: string, transport: 'UDP' | 'TCP', server: { serverId: string; domain: string }, host = '127.0.0.1') {
    this.id = id;
    this.#host = host;
    this.transport = transport;
    this.serverId = server.serverId;
    this.domain = server.domain;
  }

  get port(): number {
    return this.#port;
  }

  async open(serverPort: number): Promise<this> {
    this.#serverPort = serverPort;
    if (this.transport === 'UDP') {
      const socket = createSocket(this.#host.includes(':') ? 'udp6' : 'udp4');
      socket.on('message', (bytes) => this.#take(bytes.toString('latin1')));
      await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(0, this.#host, resolve));
      this.#port = socket.address().port;
      this.#udp = socket;
    } else {
      const socket = connect(serverPort, this.#host);
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      socket.on('error', () => undefined);
      socket.on('close', () => (this.closed = true));
      socket.on('data', (bytes) => this.#takeStream(bytes.toString('latin1')));
      this.#port = (socket.address() as { port: number }).port;
      this.#tcp = socket;
    }
    return this;
  }

  async close(): Promise<void> {
    this.#tcp?.destroy();
    const udp = this.#udp;
    this.#udp = null;
    if (udp) await new Promise<void>((resolve) => udp.close(() => resolve()));
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.#udp) this.#udp.send(bytes, this.#serverPort, this.#host);
    else this.#tcp?.write(bytes);
  }

  send(text: string): void {
    this.sendBytes(Buffer.from(text, 'latin1'));
  }

  #takeStream(text: string): void {
    this.#pending += text;
    for (;;) {
      this.#pending = this.#pending.replace(/^[\r\n]+/, '');
      const end = this.#pending.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = end + 4 + Number(header(this.#pending.slice(0, end + 2), 'Content-Length') ?? 0);
      if (this.#pending.length < length) return;
      const message = this.#pending.slice(0, length);
      this.#pending = this.#pending.slice(length);
      this.#take(message);
    }
  }

  #take(text: string): void {
    if (!text.startsWith('SIP/2.0')) {
      const answer = this.onRequest(text);
      if (answer !== null) this.send(answer);
    }
    const waiter = this.#waiters.findIndex(({ match }) => match(text));
    if (waiter >= 0) this.#waiters.splice(waiter, 1)[0]?.resolve(text);
    else this.#inbox.push(text);
  }

  /** The next message (also one that came before the call) that `match` accepts. */
  next(match: (text: string) => boolean, timeoutMs = 8000): Promise<string> {
    const at = this.#inbox.findIndex(match);
    if (at >= 0) return Promise.resolve(this.#inbox.splice(at, 1)[0] as string);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing matching came; inbox: ${this.#inbox.map((text) => text.split('\r\n')[0]).join(' | ')}`)), timeoutMs);
      this.#waiters.push({
        match,
        resolve: (text) => {
          clearTimeout(timer);
          resolve(text);
        },
      });
    });
  }

  /** Messages that came and were not waited for. */
  get inbox(): readonly string[] {
    return this.#inbox;
  }

  /** The same, and they are forgotten. */
  takeInbox(): string[] {
    return this.#inbox.splice(0);
  }

  /** A request outside dialogs; `extra` are whole header lines. */
  request(method: string, options: { callId?: string; cseq?: number; branch?: string; extra?: string[]; body?: string; fromUser?: string; to?: string; rport?: boolean } = {}): string {
    const body = options.body ?? '';
    const to = options.to ?? (method === 'REGISTER' ? this.id : this.serverId);
    return [
      `${method} sip:${this.serverId}@${this.domain} SIP/2.0`,
      `Via: SIP/2.0/${this.transport} ${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}${options.rport === false ? '' : ';rport'};branch=${options.branch ?? unique('z9hG4bK')}`,
      `From: <sip:${options.fromUser ?? this.id}@${this.domain}>;tag=${unique('t')}`,
      `To: <sip:${to}@${this.domain}>`,
      `Call-ID: ${options.callId ?? unique('c')}`,
      `CSeq: ${options.cseq ?? this.#cseq++} ${method}`,
      `Contact: <sip:${this.id}@192.168.1.64:5060>`,
      'Max-Forwards: 70',
      ...(options.extra ?? []),
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n');
  }

  /** Sends a request and waits for the final response with its Call-ID and CSeq. */
  async ask(text: string): Promise<string> {
    this.send(text);
    const callId = header(text, 'Call-ID');
    const cseq = header(text, 'CSeq');
    return this.next((answer) => answer.startsWith('SIP/2.0 ') && !answer.startsWith('SIP/2.0 1') && header(answer, 'Call-ID') === callId && header(answer, 'CSeq') === cseq);
  }

  /** Registers by digest; returns the last response. */
  async register(password: string, options: { expires?: number; extra?: string[]; qop?: boolean; username?: string } = {}): Promise<string> {
    const callId = unique('reg');
    const extra = [`Expires: ${options.expires ?? 3600}`, ...(options.extra ?? [])];
    const challenge = await this.ask(this.request('REGISTER', { callId, cseq: 1, extra }));
    if (status(challenge) !== 401) return challenge;
    const authorization = authorize(challenge, { username: options.username ?? this.id, password, method: 'REGISTER', uri: `sip:${this.serverId}@${this.domain}`, qop: options.qop ?? true });
    return this.ask(this.request('REGISTER', { callId, cseq: 2, extra: [...extra, `Authorization: ${authorization}`] }));
  }

  message(xml: string, options: { fromUser?: string; extra?: string[] } = {}): string {
    return this.request('MESSAGE', { ...options, extra: ['Content-Type: Application/MANSCDP+xml', ...(options.extra ?? [])], body: xml });
  }

  keepalive(sn = 1): string {
    return this.message(`<?xml version="1.0"?>\r\n<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n<SN>${sn}</SN>\r\n<DeviceID>${this.id}</DeviceID>\r\n<Status>OK</Status>\r\n</Notify>\r\n`);
  }
}

let counter = 0;
export function unique(prefix: string): string {
  return `${prefix}${process.pid.toString(36)}x${(counter++).toString(36)}x${Math.random().toString(36).slice(2, 8)}`;
}

export function header(text: string, name: string): string | null {
  const lower = `${name.toLowerCase()}:`;
  const line = text.split('\r\n').find((candidate) => candidate.toLowerCase().startsWith(lower));
  return line === undefined ? null : line.slice(lower.length).trim();
}

export function status(text: string): number {
  return Number(text.split(' ')[1]);
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** The Authorization value for a challenge, by RFC 2617. */
export function authorize(challenge: string, who: { username: string; password: string; method: string; uri: string; qop: boolean; nc?: string }): string {
  const line = header(challenge, 'WWW-Authenticate') ?? '';
  const realm = /realm="([^"]*)"/.exec(line)?.[1] ?? '';
  const nonce = /[ ,]nonce="([^"]*)"/.exec(line)?.[1] ?? '';
  const ha1 = md5(`${who.username}:${realm}:${who.password}`);
  const ha2 = md5(`${who.method}:${who.uri}`);
  const base = `Digest username="${who.username}", realm="${realm}", nonce="${nonce}", uri="${who.uri}", algorithm=MD5`;
  if (!who.qop) return `${base}, response="${md5(`${ha1}:${nonce}:${ha2}`)}"`;
  const nc = who.nc ?? '00000001';
  return `${base}, qop=auth, nc=${nc}, cnonce="0a4f113b", response="${md5(`${ha1}:${nonce}:${nc}:0a4f113b:auth:${ha2}`)}"`;
}

/** A response to a request of the server's, copying what RFC 3261 8.2.6 wants copied. */
export function reply(request: string, code: number, reason: string, options: { toTag?: string | null; extra?: string[]; body?: string } = {}): string {
  const body = options.body ?? '';
  const to = header(request, 'To') ?? '';
  const tag = options.toTag === undefined ? 'camtag' : options.toTag;
  return [
    `SIP/2.0 ${code} ${reason}`,
    ...request.split('\r\n').filter((line) => /^via:/i.test(line)),
    `From: ${header(request, 'From')}`,
    `To: ${to}${tag === null || to.includes('tag=') || code === 100 ? '' : `;tag=${tag}`}`,
    `Call-ID: ${header(request, 'Call-ID')}`,
    `CSeq: ${header(request, 'CSeq')}`,
    ...(options.extra ?? []),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}
