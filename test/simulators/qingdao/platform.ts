import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { EventLog, type SimulatorEvent } from '../common/event-log.js';
import { chinaDateTime } from '../common/local-time.js';
import { AdminServer } from './admin.js';
import { parseQingdaoConfig, type QingdaoConfig, type QingdaoConfigInput } from './config.js';
import { Envelope } from './envelope.js';
import { faultSchema, FaultSwitch, type Fault, type FaultInput } from './faults.js';
import { ENDPOINTS, type Endpoint } from './fields.js';
import { Ledger, type CityHeartbeat, type CityPhoto, type CityRecord, type Verdict } from './ledger.js';
import { Store } from './store.js';

/** One request and what became of it, in order of arrival. */
export interface RequestEntry {
  at: number;
  endpoint: string;
  accessId: string | null;
  outcome: Verdict['outcome'] | 'fault';
  code: string | null;
  msg: string;
  /** The decrypted parameters as text, where decryption succeeded. */
  text: string | null;
  /** False when the sender did not get the answer. */
  answered: boolean;
}

/** A picture of 512 KiB in base64 with every character percent-encoded stays below this. */
const BODY_LIMIT = 4 << 20;
const KEPT_REQUESTS = 50_000;

/**
 * The city's side of T/QME 0013-2024 appendix A, written from the text alone. Takes uploads over HTTP, refuses what the text
 * forbids, shows on a second port (`/admin/…`) what it took and what it refused, and breaks on demand.
 */
export class QingdaoPlatform {
  readonly config: QingdaoConfig;
  readonly log: EventLog;
  private readonly envelope: Envelope;
  private readonly store: Store;
  private ledger: Ledger;
  private readonly faults: FaultSwitch;
  private readonly admin: AdminServer;
  private server: http.Server | null = null;
  private readonly sockets = new Set<Socket>();
  private readonly history: RequestEntry[] = [];
  private listeningPort = 0;
  private closed = false;

  /** Checks the configuration and the keys (throws what is wrong); opens nothing. */
  constructor(config: QingdaoConfigInput, onEvent: (event: SimulatorEvent) => void = () => {}) {
    this.config = parseQingdaoConfig(config);
    this.log = new EventLog(onEvent);
    this.envelope = new Envelope(this.config);
    this.store = new Store(this.config.state);
    this.ledger = new Ledger(this.config, this.store.load() ?? undefined);
    this.faults = new FaultSwitch((fault) => this.faultOver(fault));
    this.admin = new AdminServer(this);
  }

  /** Opens both ports. */
  async start(): Promise<{ port: number; adminPort: number }> {
    await this.listen(this.config.port);
    const adminPort = await this.admin.start(this.config.host, this.config.adminPort);
    this.log.emit('listening', { port: this.listeningPort, adminPort });
    return { port: this.listeningPort, adminPort };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.faults.set(null);
    await Promise.all([this.stopListening(), this.admin.close()]);
  }

  get port(): number {
    return this.listeningPort;
  }

  get adminPort(): number {
    return this.admin.port;
  }

  /** What a sender calls: everything before `/api/v2/cp/…`. */
  get baseUrl(): string {
    return `http://${this.config.host}:${this.listeningPort}`;
  }

  records(): CityRecord[] {
    return this.ledger.state().records;
  }

  photos(): CityPhoto[] {
    return this.ledger.state().photos;
  }

  photoBytes(photoId: string): Buffer | null {
    return this.store.photo(photoId);
  }

  heartbeats(): CityHeartbeat[] {
    return this.ledger.state().heartbeats;
  }

  /** Every request so far (the newest 50,000). */
  requests(): readonly RequestEntry[] {
    return this.history;
  }

  /** Requests that were refused, with the reason and the decrypted text. */
  refused(): RequestEntry[] {
    return this.history.filter((entry) => entry.outcome === 'refused');
  }

  summary(): Record<string, number> {
    const state = this.ledger.state();
    return {
      enters: state.records.length,
      leaves: state.records.filter((record) => record.leave).length,
      modifications: state.records.reduce((sum, record) => sum + record.modifications.length, 0),
      photos: state.photos.length,
      heartbeats: state.heartbeats.length,
      duplicates: state.duplicates,
      refused: this.refused().length,
    };
  }

  /** Puts a fault in force; resolves when it holds (for `down`: when the port is closed). */
  async setFault(fault: FaultInput): Promise<void> {
    const parsed = faultSchema.parse(fault);
    this.faults.set(parsed);
    this.log.emit('fault', { ...parsed });
    if (parsed.mode === 'down') await this.stopListening();
  }

  /** Everything works again; resolves when the port is open. */
  async clearFault(): Promise<void> {
    this.faults.set(null);
    if (!this.server) await this.listen(this.listeningPort);
  }

  get fault(): Fault | null {
    return this.faults.current;
  }

  /** Forgets all records, pictures and requests. */
  reset(): void {
    this.store.clear();
    this.ledger = new Ledger(this.config);
    this.history.length = 0;
    this.log.emit('reset');
  }

  private faultOver(fault: Fault): void {
    this.log.emit('fault-over', { mode: fault.mode });
    if (fault.mode === 'down' && !this.closed) void this.listenAgain();
  }

  /** The port may be slow to become free, or be taken by a stranger for a moment. */
  private async listenAgain(): Promise<void> {
    while (!this.server && !this.closed) {
      try {
        await this.listen(this.listeningPort);
      } catch (error) {
        this.log.emit('cannot-listen', { reason: (error as Error).message });
        await pause(200);
      }
    }
  }

  private async listen(port: number): Promise<void> {
    if (this.server || this.closed) return;
    const server = http.createServer((request, response) => void this.serve(request, response));
    this.server = server;
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        this.server = null;
        reject(error);
      });
      server.listen(port, this.config.host, () => resolve());
    });
    this.listeningPort = (server.address() as AddressInfo).port;
  }

  private async stopListening(): Promise<void> {
    const { server } = this;
    this.server = null;
    for (const socket of this.sockets) socket.destroy();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://city').pathname;
    const endpoint = ENDPOINTS.find((name) => path === `/api/v2/cp/${name}`);
    const body = await readBody(request);
    // The sender went away in the middle: nothing was uploaded.
    if (body === 'aborted') return;
    if (!endpoint) return this.answer(response, 404, '500', 'no such interface');
    const fault = this.faults.take(endpoint);
    if (fault && fault.mode !== 'lose-answer' && fault.mode !== 'slow') return this.fail(fault, endpoint, request, response);
    const entry = this.process(endpoint, request, body);
    this.note(entry);
    if (fault?.mode === 'lose-answer') {
      entry.answered = false;
      request.socket.resetAndDestroy();
      return;
    }
    if (fault?.mode === 'slow') await pause(fault.ms);
    const extra = endpoint === 'uploadHeartbeat' && entry.code === '200' ? { srvTime: chinaDateTime(Date.now() + this.config.clockOffsetMs) } : {};
    this.answer(response, 200, entry.code ?? '500', entry.msg, extra);
  }

  /** Judges a request and keeps its effects, before anything is answered. */
  private process(endpoint: Endpoint, request: http.IncomingMessage, body: Buffer | null): RequestEntry {
    const entry: RequestEntry = { at: Date.now(), endpoint, accessId: null, outcome: 'refused', code: '400', msg: '', text: null, answered: true };
    const refuse = (code: string, msg: string): RequestEntry => Object.assign(entry, { code, msg });
    if (request.method !== 'POST') return refuse('400', `the method is POST, not ${request.method}`);
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers['content-type'] ?? '')) return refuse('400', 'Content-Type must be application/x-www-form-urlencoded');
    if (!body) return refuse('400', `the body is larger than ${BODY_LIMIT} bytes`);
    const form = new URLSearchParams(body.toString('utf8'));
    const known = ['accessID', 'cipher', 'sign', 'file'];
    const strange = [...form.keys()].find((name, index, all) => !known.includes(name) || all.indexOf(name) !== index);
    if (strange !== undefined) return refuse('400', `${strange}: unknown or repeated form parameter (plain parameters are not taken)`);
    const opened = this.envelope.open(form);
    entry.accessId = opened.accessId;
    if (!opened.ok) return refuse(opened.code, opened.reason);
    entry.text = opened.text;
    let parameters: unknown;
    try {
      parameters = JSON.parse(opened.text);
    } catch {
      return refuse('400', 'cipher: the decrypted text is not JSON');
    }
    const verdict = this.ledger.take(endpoint, opened.accessId, parameters, form.get('file'), entry.at, (photo, bytes) => this.store.putPhoto(photo.photoId, bytes));
    if (verdict.outcome !== 'refused') this.store.save(this.ledger.state());
    return Object.assign(entry, verdict);
  }

  private fail(fault: Fault, endpoint: string, request: http.IncomingMessage, response: http.ServerResponse): void {
    this.note({ at: Date.now(), endpoint, accessId: null, outcome: 'fault', code: null, msg: fault.mode, text: null, answered: fault.mode === '500' || fault.mode === 'garbage' });
    switch (fault.mode) {
      case 'reset':
        request.socket.resetAndDestroy();
        break;
      case '500':
        this.answer(response, 500, '500', '服务器错误');
        break;
      case 'garbage':
        response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html><body>502 Bad Gateway</body></html>');
        break;
      default:
        // hang: the socket stays open until the sender gives up or the platform closes.
        break;
    }
  }

  private note(entry: RequestEntry): void {
    this.history.push(entry);
    if (this.history.length > KEPT_REQUESTS) this.history.splice(0, this.history.length - KEPT_REQUESTS);
    this.log.emit(entry.outcome, { endpoint: entry.endpoint, code: entry.code, msg: entry.msg, parameters: entry.text });
  }

  private answer(response: http.ServerResponse, status: number, code: string, msg: string, extra: Record<string, string> = {}): void {
    if (response.destroyed) return;
    const resultCode = this.config.numericResultCode ? Number(code) : code;
    // The table gives msg 200 characters.
    const body = JSON.stringify({ ...extra, resultCode, msg: [...msg].slice(0, 200).join('') });
    response.writeHead(status, { 'Content-Type': 'application/json;charset=UTF-8' }).end(body);
  }
}

/** Null when it is too large; the rest is read and dropped so that the sender can hear the answer. */
async function readBody(request: http.IncomingMessage): Promise<Buffer | null | 'aborted'> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += (chunk as Buffer).length;
      if (size <= BODY_LIMIT) chunks.push(chunk as Buffer);
    }
  } catch {
    return 'aborted';
  }
  return size <= BODY_LIMIT ? Buffer.concat(chunks) : null;
}
