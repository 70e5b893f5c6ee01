import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { faultSchema } from './faults.js';
import type { QingdaoPlatform } from './platform.js';

/**
 * What tests in another process ask the city, on its own port so that it also answers while the city is "down":
 * GET /admin/summary, /admin/records, /admin/photos, /admin/photos/<photoID> (the JPEG), /admin/heartbeats, /admin/requests,
 * /admin/refused, /admin/fault; POST /admin/fault (JSON, see faults.ts), DELETE /admin/fault; POST /admin/reset.
 */
export class AdminServer {
  private server: http.Server | null = null;
  port = 0;

  constructor(private readonly platform: QingdaoPlatform) {}

  start(host: string, port: number): Promise<number> {
    const server = http.createServer((request, response) => {
      this.serve(request, response).catch((error: Error) => json(response, 400, { error: error.message }));
    });
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        this.port = (server.address() as AddressInfo).port;
        resolve(this.port);
      });
    });
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://city').pathname;
    const { platform } = this;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    switch (`${request.method} ${path}`) {
      case 'GET /admin/summary':
        return json(response, 200, platform.summary());
      case 'GET /admin/records':
        return json(response, 200, platform.records());
      case 'GET /admin/photos':
        return json(response, 200, platform.photos());
      case 'GET /admin/heartbeats':
        return json(response, 200, platform.heartbeats());
      case 'GET /admin/requests':
        return json(response, 200, platform.requests());
      case 'GET /admin/refused':
        return json(response, 200, platform.refused());
      case 'GET /admin/fault':
        return json(response, 200, platform.fault);
      case 'POST /admin/fault':
        await platform.setFault(faultSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
        return json(response, 200, platform.fault);
      case 'DELETE /admin/fault':
        await platform.clearFault();
        return json(response, 200, null);
      case 'POST /admin/reset':
        platform.reset();
        return json(response, 200, null);
      default: {
        const photoId = /^\/admin\/photos\/(.+)$/.exec(path)?.[1];
        const bytes = request.method === 'GET' && photoId !== undefined ? platform.photoBytes(decodeURIComponent(photoId)) : null;
        if (!bytes) return json(response, 404, { error: 'not found' });
        response.writeHead(200, { 'Content-Type': 'image/jpeg' }).end(bytes);
      }
    }
  }
}

function json(response: http.ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json;charset=UTF-8' }).end(JSON.stringify(value));
}
