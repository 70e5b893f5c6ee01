import http from 'node:http';
import { Transform } from 'node:stream';

export type Fault =
  | { kind: 'none' }
  /** An answer of the proxy's own, as an S3 server words it. */
  | { kind: 'status'; status: number; code: string }
  /** Answers go on for so many bytes and then break. */
  | { kind: 'half' }
  /** The connection breaks when a request has come. */
  | { kind: 'reset' }
  /** The connection breaks in the middle of what is sent. */
  | { kind: 'reset-upload' }
  /** Nothing is answered. */
  | { kind: 'hang' }
  /** Answers come, but late. */
  | { kind: 'slow'; ms: number }
  /** A bit of what is sent is another. */
  | { kind: 'corrupt-upload' };

/** An HTTP proxy between a client and a server that misbehaves as it is told; requests pass it untouched otherwise. */
export class FaultProxy {
  /** Which requests it misbehaves on; default: all. */
  applies: (request: http.IncomingMessage) => boolean = () => true;
  fault: Fault = { kind: 'none' };
  /** Method and path of each request, in order. */
  readonly requests: string[] = [];
  /** Those of them that were answered to the end. */
  readonly answered: string[] = [];
  readonly #target: URL;
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true });

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = http.createServer((request, response) => this.#handle(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #handle(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`);
    const fault: Fault = this.applies(request) ? this.fault : { kind: 'none' };
    request.on('error', () => undefined);
    response.once('finish', () => this.answered.push(`${request.method} ${request.url}`));
    if (fault.kind === 'hang') return void request.resume();
    if (fault.kind === 'reset') return void request.socket.destroy();
    if (fault.kind === 'reset-upload') return void request.once('data', () => request.socket.destroy());
    if (fault.kind === 'status') {
      request.resume().once('end', () => {
        response.writeHead(fault.status, { 'content-type': 'application/xml', date: new Date().toUTCString() });
        response.end(request.method === 'HEAD' ? undefined : `<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>made by a test</Message></Error>`);
      });
      return;
    }
    setTimeout(() => this.#pass(request, response, fault), fault.kind === 'slow' ? fault.ms : 0);
  }

  #pass(request: http.IncomingMessage, response: http.ServerResponse, fault: Fault): void {
    const passed = http.request({ host: this.#target.hostname, port: this.#target.port, method: request.method, path: request.url, headers: request.headers, agent: this.#agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      const half = Number(answer.headers['content-length'] ?? 0) >> 1;
      if (fault.kind !== 'half' || half === 0) return void answer.pipe(response);
      let left = half;
      answer.on('data', (chunk: Buffer) => {
        if (left <= 0) return;
        response.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) setTimeout(() => response.socket?.destroy(), 20);
      });
    });
    passed.on('error', () => response.socket?.destroy());
    if (fault.kind !== 'corrupt-upload') return void request.pipe(passed);
    let first = true;
    const flip = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        const bytes = Buffer.from(chunk);
        if (first && bytes.length > 100) bytes[100]! ^= 1;
        first = false;
        done(null, bytes);
      },
    });
    request.pipe(flip).pipe(passed);
  }
}
