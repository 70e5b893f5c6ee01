import dgram from 'node:dgram';
import { keepaliveNotify } from './manscdp.js';
import { authorization, parseChallenge } from './sip/digest.js';
import { header, parseDatagram, serialise, type SipHeader, type SipRequest, type SipResponse } from './sip/message.js';
import { token } from './sip/user-agent.js';

export interface LightDeviceOptions {
  id: string;
  password: string;
  server: { id: string; host: string; port: number };
  keepaliveMs: number;
  /** First retransmission (RFC 3261 T1), doubled up to 4 s; a request without an answer is given up after `timeoutMs`. */
  t1Ms?: number;
  timeoutMs?: number;
}

/** What a device has seen so far; all counts rise. */
export interface LightDeviceStats {
  keepalivesSent: number;
  keepalivesAnswered: number;
  /** Answered with anything but 200: the device then registers again. */
  keepalivesRefused: number;
  keepalivesLost: number;
  retransmissions: number;
  registrations: number;
  registrationsFailed: number;
}

/**
 * A device that only signals, over UDP: it registers by digest, keeps alive, and answers what it is asked with an empty 200. A
 * socket, a timer and a few texts each, so that a thousand of them fit into a process.
 */
export class LightDevice {
  readonly stats: LightDeviceStats = { keepalivesSent: 0, keepalivesAnswered: 0, keepalivesRefused: 0, keepalivesLost: 0, retransmissions: 0, registrations: 0, registrationsFailed: 0 };
  readonly #options: Required<LightDeviceOptions>;
  readonly #waiting = new Map<string, (response: SipResponse | null) => void>();
  readonly #domain: string;
  #socket: dgram.Socket | null = null;
  #local = '';
  #timer: NodeJS.Timeout | null = null;
  #sn = 0;
  #registering: Promise<number | null> | null = null;

  constructor(options: LightDeviceOptions) {
    this.#options = { t1Ms: 500, timeoutMs: 16_000, ...options };
    this.#domain = options.server.id.slice(0, 10);
  }

  async open(): Promise<void> {
    const socket = dgram.createSocket('udp4');
    socket.on('error', () => {});
    socket.on('message', (bytes) => this.#take(bytes));
    const { host, port } = this.#options.server;
    // Connected: the platform alone is heard, and the system need not look up a route for each datagram.
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, host, () => resolve());
    });
    const { address, port: local } = socket.address();
    this.#local = `${address}:${local}`;
    this.#socket = socket;
  }

  /** REGISTER with its challenge. Resolves with the milliseconds from the first request to the 200; null where it failed. */
  register(): Promise<number | null> {
    this.#registering ??= this.#register().finally(() => (this.#registering = null));
    return this.#registering;
  }

  /** Keepalives from now on, the first after `offsetMs`. */
  keepAlive(offsetMs: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.keepAlive(this.#options.keepaliveMs);
      void this.#keepalive();
    }, offsetMs);
  }

  /** Says nothing more, not even goodbye. */
  async close(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    for (const resolve of this.#waiting.values()) resolve(null);
    if (socket) await new Promise<void>((resolve) => socket.close(() => resolve()));
  }

  async #register(): Promise<number | null> {
    const { id, password, server } = this.#options;
    const begun = performance.now();
    const uri = `sip:${server.id}@${this.#domain}`;
    const callId = token();
    const common: SipHeader[] = [
      { name: 'Contact', value: `<sip:${id}@${this.#local}>` },
      { name: 'Expires', value: '3600' },
    ];
    const first = await this.#request('REGISTER', id, callId, 1, common);
    const challenge = first?.status === 401 ? parseChallenge(header(first, 'www-authenticate') ?? '') : null;
    const credentials = challenge ? authorization(challenge, { username: id, password }, 'REGISTER', uri) : null;
    const last = credentials === null ? first : await this.#request('REGISTER', id, callId, 2, [...common, { name: 'Authorization', value: credentials }]);
    if (last?.status !== 200) {
      this.stats.registrationsFailed += 1;
      return null;
    }
    this.stats.registrations += 1;
    return performance.now() - begun;
  }

  async #keepalive(): Promise<void> {
    const { id, server } = this.#options;
    this.#sn += 1;
    this.stats.keepalivesSent += 1;
    const response = await this.#request('MESSAGE', server.id, token(), 20, [{ name: 'Content-Type', value: 'Application/MANSCDP+xml' }], keepaliveNotify(this.#sn, id));
    if (response === null) this.stats.keepalivesLost += 1;
    else if (response.status === 200) this.stats.keepalivesAnswered += 1;
    else {
      this.stats.keepalivesRefused += 1;
      await this.register();
    }
  }

  /** A request with retransmissions until its final response; null where none came. */
  #request(method: string, to: string, callId: string, cseq: number, headers: SipHeader[], body: Buffer = Buffer.alloc(0)): Promise<SipResponse | null> {
    const { id, server, t1Ms, timeoutMs } = this.#options;
    const branch = `z9hG4bK${token()}`;
    const request: SipRequest = {
      kind: 'request',
      method,
      uri: `sip:${server.id}@${this.#domain}`,
      headers: [
        { name: 'Via', value: `SIP/2.0/UDP ${this.#local};rport;branch=${branch}` },
        { name: 'From', value: `<sip:${id}@${this.#domain}>;tag=${token()}` },
        { name: 'To', value: `<sip:${to}@${this.#domain}>` },
        { name: 'Call-ID', value: callId },
        { name: 'CSeq', value: `${cseq} ${method}` },
        { name: 'Max-Forwards', value: '70' },
        ...headers,
      ],
      body,
    };
    const bytes = serialise(request);
    return new Promise((resolve) => {
      let wait = t1Ms;
      let again = setTimeout(repeat.bind(this), wait);
      const deadline = setTimeout(() => done(null), timeoutMs);
      const done = (response: SipResponse | null): void => {
        clearTimeout(again);
        clearTimeout(deadline);
        this.#waiting.delete(branch);
        resolve(response);
      };
      function repeat(this: LightDevice): void {
        this.stats.retransmissions += 1;
        this.#socket?.send(bytes);
        wait = Math.min(wait * 2, 4000);
        again = setTimeout(repeat.bind(this), wait);
      }
      this.#waiting.set(branch, done);
      this.#socket?.send(bytes);
    });
  }

  #take(bytes: Buffer): void {
    const message = parseDatagram(bytes);
    if (!message) return;
    if (message.kind === 'response') {
      const branch = /;branch=([^;,\s]+)/.exec(header(message, 'via') ?? '')?.[1] ?? '';
      if (message.status >= 200) this.#waiting.get(branch)?.(message);
      return;
    }
    if (message.method === 'ACK') return;
    const status = message.method === 'INVITE' ? { status: 480, reason: 'No Camera Here' } : { status: 200, reason: 'OK' };
    const kept = ['via', 'from', 'call-id', 'cseq'];
    const headers = message.headers.filter(({ name }) => kept.includes(name.toLowerCase()));
    headers.push({ name: 'To', value: `${header(message, 'to') ?? ''};tag=${token()}` });
    this.#socket?.send(serialise({ kind: 'response', ...status, headers, body: Buffer.alloc(0) }));
  }
}
