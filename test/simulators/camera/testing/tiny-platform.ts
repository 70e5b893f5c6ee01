/** A platform of a few lines for the camera's own tests: registers, asks, invites and keeps what arrives. Hand-written text on sockets. */
import { createHash, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';

export const SERVER_ID = '37020000002000000001';
export const DOMAIN = '3702000000';

/** What arrived: the text of a SIP message. */
export interface Heard {
  at: number;
  text: string;
}

type Rule = (text: string) => string | null;

/** Value of a header line. */
export function headerOf(text: string, name: string): string {
  return new RegExp(`^${name}\\s*:\\s*(.*)$`, 'im').exec(text)?.[1]?.trim() ?? '';
}

export class TinyPlatform {
  readonly heard: Heard[] = [];
  private udp: dgram.Socket | null = null;
  private tcp: net.Server | null = null;
  private sockets = new Set<net.Socket>();
  private reply: ((text: string) => void) | null = null;
  private nonce = 'nonce-0';
  private listeners = new Set<() => void>();
  private sequence = 1;
  port = 0;
  /** Answers decided by a test: null falls through to the normal answer; '' says nothing. */
  rule: Rule = () => null;

  constructor(
    readonly password = 'secret',
    private readonly options: { qop?: boolean; transport?: 'udp' | 'tcp' } = {},
  ) {}

  async start(port = 0): Promise<void> {
    if ((this.options.transport ?? 'udp') === 'udp') {
      const udp = dgram.createSocket('udp4');
      udp.on('message', (bytes, from) => {
        this.reply = (text) => udp.send(Buffer.from(text, 'latin1'), from.port, from.address, () => {});
        this.hear(bytes.toString('latin1'));
      });
      await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
      this.udp = udp;
      this.port = udp.address().port;
      return;
    }
    this.tcp = net.createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
      let pending = '';
      socket.on('data', (bytes) => {
        this.reply = (text) => socket.write(Buffer.from(text, 'latin1'));
        pending += bytes.toString('latin1');
        for (;;) {
          const end = pending.indexOf('\r\n\r\n');
          const length = end < 0 ? -1 : end + 4 + Number(headerOf(pending.slice(0, end), 'Content-Length'));
          if (end < 0 || pending.length < length) break;
          this.hear(pending.slice(0, length));
          pending = pending.slice(length);
        }
      });
    });
    await new Promise<void>((resolve) => this.tcp!.listen(port, '127.0.0.1', resolve));
    this.port = (this.tcp.address() as net.AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.udp) await new Promise<void>((resolve) => this.udp!.close(() => resolve()));
    if (this.tcp) await new Promise<void>((resolve) => this.tcp!.close(() => resolve()));
    this.udp = null;
    this.tcp = null;
  }

  /** The first message from now on, or already heard after `since`, that matches. */
  async hears(pattern: RegExp, since = 0, timeoutMs = 8000): Promise<Heard> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.heard.find((entry, index) => index >= since && pattern.test(entry.text));
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`never heard ${pattern}; heard ${this.heard.map((entry) => entry.text.split('\r\n')[0]).join(' | ')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.listeners.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Sends a request to the camera; returns its Call-ID. */
  request(method: string, target: string, body: string, extra: { callId?: string; toTag?: string; fromTag?: string; headers?: string[]; branch?: string; cseq?: number } = {}): string {
    const callId = extra.callId ?? randomBytes(6).toString('hex');
    const type = method === 'MESSAGE' ? 'Application/MANSCDP+xml' : 'application/sdp';
    this.sequence += 1;
    this.send(
      [
        `${method} sip:${target}@${DOMAIN} SIP/2.0`,
        `Via: SIP/2.0/${(this.options.transport ?? 'udp').toUpperCase()} 127.0.0.1:${this.port};rport;branch=${extra.branch ?? `z9hG4bK${randomBytes(6).toString('hex')}`}`,
        `From: <sip:${SERVER_ID}@${DOMAIN}>;tag=${extra.fromTag ?? 'platform'}`,
        `To: <sip:${target}@${DOMAIN}>${extra.toTag ? `;tag=${extra.toTag}` : ''}`,
        `Call-ID: ${callId}`,
        `CSeq: ${extra.cseq ?? this.sequence} ${method}`,
        `Contact: <sip:${SERVER_ID}@127.0.0.1:${this.port}>`,
        'Max-Forwards: 70',
        ...(extra.headers ?? []),
        ...(body === '' ? [] : [`Content-Type: ${type}`]),
        `Content-Length: ${Buffer.byteLength(body, 'latin1')}`,
        '',
        body,
      ].join('\r\n'),
    );
    return callId;
  }

  /** INVITE, wait for the 200, ACK. */
  async invite(channel: string, sdp: string, extra: { callId?: string; toTag?: string } = {}): Promise<{ callId: string; answer: string; toTag: string }> {
    const since = this.heard.length;
    const callId = this.request('INVITE', channel, sdp, { ...extra, headers: [`Subject: ${channel}:0200000001,${SERVER_ID}:0`] });
    const answer = (await this.hears(new RegExp(`^SIP/2\\.0 [2-6][\\s\\S]*Call-ID: ${callId}`), since)).text;
    const toTag = /tag=(\S+)/.exec(headerOf(answer, 'To'))?.[1] ?? '';
    this.request('ACK', channel, '', { callId, toTag });
    return { callId, answer, toTag };
  }

  private send(text: string): void {
    this.reply?.(text);
  }

  private hear(text: string): void {
    this.heard.push({ at: Date.now(), text });
    const ruled = this.rule(text);
    if (ruled !== null) {
      if (ruled !== '') this.send(this.answer(text, ruled));
    } else if (/^REGISTER/.test(text)) this.send(this.challenge(text));
    else if (/^(MESSAGE|BYE)/.test(text)) this.send(this.answer(text, '200 OK'));
    const waiting = [...this.listeners];
    this.listeners.clear();
    for (const wake of waiting) wake();
  }

  private answer(request: string, status: string, extra: string[] = []): string {
    const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${headerOf(request, name)}${name === 'To' && !/tag=/.test(headerOf(request, 'To')) ? ';tag=tiny' : ''}`);
    return [`SIP/2.0 ${status}`, ...copied, ...extra, 'Content-Length: 0', '', ''].join('\r\n');
  }

  private challenge(request: string): string {
    const credentials = headerOf(request, 'Authorization');
    const field = (name: string): string => new RegExp(`(?:^|[\\s,])${name}="?([^",]*)"?`).exec(credentials)?.[1] ?? '';
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const ha1 = md5(`${field('username')}:${DOMAIN}:${this.password}`);
    const ha2 = md5(`REGISTER:${field('uri')}`);
    const expected = this.options.qop ? md5(`${ha1}:${this.nonce}:${field('nc')}:${field('cnonce')}:auth:${ha2}`) : md5(`${ha1}:${this.nonce}:${ha2}`);
    if (field('nonce') === this.nonce && field('response') === expected) {
      this.nonce = randomBytes(8).toString('hex');
      return this.answer(request, '200 OK', [`Expires: ${headerOf(request, 'Expires')}`, 'Date: 2026-01-01T08:00:00.000']);
    }
    return this.answer(request, '401 Unauthorized', [`WWW-Authenticate: Digest realm="${DOMAIN}",nonce="${this.nonce}",algorithm=MD5${this.options.qop ? ',qop="auth"' : ''}`]);
  }
}

/** The platform's offer. */
export function offer(kind: 'udp' | 'passive' | 'active', port: number, ssrc = '0200000001', extra: string[] = []): string {
  return [
    'v=0', `o=${SERVER_ID} 0 0 IN IP4 127.0.0.1`, 's=Play', 'c=IN IP4 127.0.0.1', 't=0 0',
    `m=video ${port} ${kind === 'udp' ? 'RTP/AVP' : 'TCP/RTP/AVP'} 96 97 98`, 'a=recvonly', 'a=rtpmap:96 PS/90000',
    ...(kind === 'udp' ? [] : [`a=setup:${kind}`, 'a=connection:new']), ...extra, `y=${ssrc}`, '',
  ].join('\r\n');
}

/** One RTP packet taken apart; null for RTCP. */
export interface Packet {
  sequence: number;
  timestamp: number;
  ssrc: number;
  marker: boolean;
  payload: Buffer;
}

export function parseRtp(bytes: Buffer): Packet | null {
  if (bytes.length < 12 || (bytes[1]! >= 200 && bytes[1]! <= 207)) return null;
  let at = 12 + (bytes[0]! & 0x0f) * 4;
  if (bytes[0]! & 0x10) at += 4 + bytes.readUInt16BE(at + 2) * 4;
  const end = bytes.length - (bytes[0]! & 0x20 ? bytes.at(-1)! : 0);
  return { sequence: bytes.readUInt16BE(2), timestamp: bytes.readUInt32BE(4), ssrc: bytes.readUInt32BE(8), marker: (bytes[1]! & 0x80) !== 0, payload: bytes.subarray(at, end) };
}

/** A UDP or TCP media port that keeps what arrives. */
export class MediaSink {
  readonly packets: Packet[] = [];
  readonly raw: Buffer[] = [];
  private udp: dgram.Socket | null = null;
  private tcp: net.Server | null = null;
  private sockets = new Set<net.Socket>();
  port = 0;

  async listenUdp(port = 0): Promise<void> {
    const udp = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    udp.on('message', (bytes) => this.take(bytes));
    await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
    this.udp = udp;
    this.port = udp.address().port;
  }

  async listenTcp(port = 0): Promise<void> {
    this.tcp = net.createServer((socket) => this.readTcp(socket));
    await new Promise<void>((resolve) => this.tcp!.listen(port, '127.0.0.1', resolve));
    this.port = (this.tcp.address() as net.AddressInfo).port;
  }

  dial(port: number): void {
    this.readTcp(net.connect(port, '127.0.0.1'));
  }

  /** All payloads in order of arrival, joined: the program stream. */
  stream(): Buffer {
    return Buffer.concat(this.packets.map((packet) => packet.payload));
  }

  async until(condition: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`never: ${what} (${this.packets.length} packets)`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.udp) await new Promise<void>((resolve) => this.udp!.close(() => resolve()));
    if (this.tcp) await new Promise<void>((resolve) => this.tcp!.close(() => resolve()));
    this.udp = null;
    this.tcp = null;
  }

  private take(bytes: Buffer): void {
    this.raw.push(bytes);
    const packet = parseRtp(bytes);
    if (packet) this.packets.push(packet);
  }

  private readTcp(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0);
        this.take(Buffer.from(pending.subarray(2, 2 + length)));
        pending = pending.subarray(2 + length);
      }
    });
  }
}
