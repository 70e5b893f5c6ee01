/**
 * The console with an API that answers made-up cameras: what a street of hundreds looks like, and every state that a test would have to
 * wait for. `node dist/test/console/stub-api.js PORT` serves it for a look.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { program } from '../../base/program-root.js';
import { archiveAnswer, findingsAnswer, storageAnswer, stubHolds, type StubHold } from './storage-answers.js';

export const STUB_TOKEN = 'a-token-of-the-stub';
const TYPES: Record<string, string> = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
const ROADS = ['香港中路', '东海西路', '闽江路', '南京路'];
const WINDOWS = [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '07:30', to: '21:30' }, { days: ['sat', 'sun'], from: '09:00', to: '20:00' }];

type State = 'ok' | 'problem' | 'offline' | 'paused' | 'disabled';

/** Of 30 cameras one is refused, two are offline, one is paused, one is disabled. */
const stateOf = (i: number): State => (i % 30 === 4 ? 'problem' : i % 30 === 11 || i % 30 === 17 ? 'offline' : i % 30 === 22 ? 'paused' : i % 30 === 26 ? 'disabled' : 'ok');

function camera(i: number, now: number): object {
  const state = stateOf(i);
  const streaming = state === 'ok' || state === 'paused';
  const id = `cam-${String(i + 1).padStart(3, '0')}`;
  const berths = Array.from({ length: 12 }, (_, n) => {
    const [column, row] = [n % 6, Math.floor(n / 6)];
    const x = 120 + column * 290 - row * 40;
    const y = 330 + row * 380;
    const occupied = streaming && (i * 7 + n * 5) % 11 < 5;
    return {
      id: `${id}-b${n + 1}`,
      number: `${i + 1}${String(n + 1).padStart(2, '0')}`,
      kind: 'parallel',
      polygon: [[x + 60, y], [x + 230, y + 10], [x + 180, y + 260], [x, y + 240]],
      state: streaming ? (occupied ? 'occupied' : 'free') : 'unknown',
      visit: occupied ? { uid: `V${i}-${n}`, enteredAt: now - 1_800_000 - n * 240_000, plate: { status: 'read', text: `鲁B${String(10_000 + i * 37 + n)}`, colour: 'blue', confidence: 0.97 } } : null,
    };
  });
  const gbId = `3702020000132${String(i + 1).padStart(7, '0')}`;
  return {
    id,
    name: `${ROADS[i % 4]} ${i + 1} 号`,
    deviceNumber: `QD-GW-${String(i + 1).padStart(4, '0')}`,
    roadSection: ROADS[i % 4],
    direction: i % 2 === 0 ? '由东向西' : '由西向东',
    lot: '370202HZ001',
    width: 1920,
    height: 1080,
    kind: i % 9 === 8 ? 'video-pile' : 'high-position',
    enabled: state !== 'disabled',
    gb28181: i % 9 === 8 ? null : { deviceId: gbId, channelId: gbId },
    streams: { record: i % 5 === 0 ? 'both' : 'main', analyse: 'main' },
    mountingHeightM: i % 9 === 8 ? 0.6 : 6.5,
    location: { longitude: 120.38 + i / 1000, latitude: 36.06 },
    manufacturer: 'ACME',
    model: 'HP-4K',
    notes: i % 6 === 0 ? '杆号 A-12，交警箱取电' : null,
    analysis: { windows: i % 3 === 0 ? WINDOWS : [], open: state !== 'paused' },
    online: streaming || state === 'problem',
    onlineSince: i % 9 === 8 || !(streaming || state === 'problem') ? null : now - 3_600_000 * (i + 2),
    stream: {
      state: streaming ? 'streaming' : state === 'problem' ? 'waiting' : 'none',
      bitsPerSecond: streaming ? 3_600_000 + (i % 7) * 170_000 : null,
      lastFailure: i % 8 === 0 ? { at: now - 7_200_000, message: 'no packet came for 10 s' } : null,
      diagnosis: state === 'problem' ? `the camera answered but no packet came to 10.0.0.5:30002 in 10 s: check that its network reaches this address, and that no firewall drops UDP` : null,
      codec: streaming ? (i % 4 === 3 ? 'h265' : 'h264') : null,
      transport: i % 9 === 8 ? 'rtsp-tcp' : 'tcp-passive',
      lastUnitAt: streaming ? now - 700 : state === 'offline' ? now - 5_400_000 : null,
      lostPackets: i % 13,
      strangers: 0,
    },
    analysedTo: streaming ? now - 2_300 : null,
    berths,
  };
}

const FIELDS = [{ zh: '拍摄方向', en: 'direction', from: '由东向西', to: '由西向东' }, { zh: '分析时段', en: 'analysis windows', from: '', to: '07:30-21:30' }];
const PREVIEW = {
  lots: [],
  cameras: [
    { id: 'cam-301', name: '闽江路 301 号', change: 'added', fields: [], berths: [1, 2, 3].map((n) => ({ id: `c301-${n}`, number: `3010${n}`, change: 'added', fields: [] })) },
    { id: 'cam-001', name: '香港中路 1 号', change: 'changed', fields: FIELDS, berths: [{ id: 'cam-001-b3', number: '103', change: 'changed', fields: [{ zh: '限时（分钟）', en: 'time limit (min)', from: '', to: '120' }] }, { id: 'cam-001-b12', number: '112', change: 'removed', fields: [] }] },
    { id: 'cam-002', name: '东海西路 2 号', change: 'removed', fields: [], berths: [{ id: 'cam-002-b1', number: '201', change: 'removed', fields: [] }] },
  ],
  unchangedCameras: 298,
  openVisits: [{ uid: 'V1-0', cameraId: 'cam-002', berthId: 'cam-002-b1', enteredAt: 0 }],
  endedVisits: [] as string[],
};
const PROBLEMS = [
  { sheet: '泊位', row: 4, column: '四角坐标', value: '812,540 934,552 760', zh: '无法识别，应填写：四个角的像素坐标 x,y，以空格分隔，顺序为行车方向的左前、右前、右后、左后', en: 'is not understood: write pixels x,y of four corners, separated by spaces' },
  { sheet: '泊位', row: 9, column: '国标通道编号', value: '3.70202E+19', zh: '表格程序把长编号变成了数字并丢失了末位：将该列设为“文本”格式后重新输入', en: 'the spreadsheet program has made a number of it and lost digits: format the column as text and type it again' },
];

export class StubApi {
  /** What was called, `POST /api/… body`. */
  readonly calls: string[] = [];
  readonly #cameras: number;
  readonly #holds: StubHold[];
  /** Only the failure of these is answered, with its status. */
  readonly failing = new Map<string, { status: number; message: string }>();
  readonly #server: Server;

  constructor(cameras: number) {
    this.#cameras = cameras;
    this.#holds = stubHolds(this.#ids, Date.now());
    this.#server = createServer((request, response) => void this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error))));
  }

  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stub');
    const json = (body: unknown, status = 200): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (!pathname.startsWith('/api/')) return this.#file(pathname, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (request.method !== 'GET') {
      if (request.headers.authorization !== `Bearer ${STUB_TOKEN}`) return json({ error: 'HTTP_UNAUTHORISED', message: 'send "Authorization: Bearer <token>"' }, 401);
      this.calls.push(`${request.method ?? ''} ${pathname}${body.length > 0 && body[0] === 0x7b ? ` ${body.toString()}` : ''}`);
    }
    const now = Date.now();
    const failure = this.failing.get(pathname);
    if (failure) return json({ error: 'STUB', message: failure.message }, failure.status);
    if (pathname === '/api/storage') return json(storageAnswer(this.#ids, now));
    if (pathname === '/api/archive') return json(archiveAnswer(this.#ids, now));
    if (pathname === '/api/archive/findings') return json(findingsAnswer(this.#ids, now));
    if (pathname.startsWith('/api/holds')) return this.#hold(request.method ?? 'GET', pathname, searchParams, body, json);
    if (pathname === '/api/status') return json({ version: '0', startedAt: now - 86_400_000, now, problems: this.#problems(now), platforms: [], counts: { visits: 4_812, openVisits: 1_604, pictures: 33_700, pendingEvidence: 0 } });
    if (pathname === '/api/cameras') return json(Array.from({ length: this.#cameras }, (_, i) => camera(i, now)));
    if (pathname === '/api/devices/unused-channels') return json([{ deviceId: '37020200001180000001', channelId: '37020200001320000900', name: '大门西侧', manufacturer: 'ACME', model: 'IPC-2', deviceOnline: true, channelOnline: true, longitude: null, latitude: null }]);
    if (request.method === 'GET' && /^\/api\/devices\/\d{20}$/.test(pathname)) {
      return json({ transport: 'UDP', source: { host: '10.0.3.17', port: 5060 }, edition: '2016', userAgent: 'cam/1', info: { manufacturer: 'ACME', model: 'HP-4K', firmware: 'V5.7.3' }, lastKeepaliveAt: now - 20_000, clockOffsetMs: -42_000, problems: ['its clock is 42 s behind: set NTP on it'] });
    }
    if (pathname === '/api/site/import') {
      if (searchParams.get('name')?.includes('faults')) return json({ error: 'SITE_PROBLEMS', message: 'problems', problems: PROBLEMS, total: PROBLEMS.length }, 400);
      const applied = searchParams.get('dryRun') !== '1';
      return json({ ...PREVIEW, applied, endedVisits: applied && searchParams.get('remove') === '1' ? ['V1-0'] : [] });
    }
    if (pathname.endsWith('/latest.jpg') || pathname.endsWith('/snapshot')) return void response.writeHead(200, { 'content-type': 'image/jpeg', 'x-snapshot-source': 'stream' }).end(await street());
    if (request.method === 'POST') return json({ done: true });
    if (pathname === '/api/events') return void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
    return json([]);
  }

  get #ids(): string[] {
    return [1, 2, 3].map((n) => `cam-${String(n).padStart(3, '0')}`);
  }

  #hold(method: string, pathname: string, query: URLSearchParams, body: Buffer, json: (body: unknown, status?: number) => void): void {
    if (method === 'GET') return json(this.#holds.filter((hold) => query.get('all') === 'true' || hold.releasedAt === null));
    if (method === 'POST') {
      const asked = JSON.parse(body.toString()) as Partial<StubHold>;
      if (asked.visitUid === 'V-nobody') return json({ error: 'HOLD_VISIT', message: 'there is no visit V-nobody' }, 404);
      const made = { ...(this.#holds[0] as StubHold), id: this.#holds.length + 1, visitUid: null, to: null, until: null, ...asked, createdAt: Date.now(), covers: { segments: 62, bytes: 1.86e9, gone: 4 } };
      this.#holds.unshift(made);
      return json(made, 201);
    }
    const hold = this.#holds.find(({ id }) => pathname === `/api/holds/${id}`);
    if (!hold) return json({ error: 'HOLD_UNKNOWN', message: 'there is no such hold' }, 404);
    if (hold.releasedAt !== null) return json({ error: 'HOLD_RELEASED', message: `hold ${hold.id} was released already, by ${hold.releasedBy ?? ''}` }, 409);
    Object.assign(hold, { releasedAt: Date.now(), releasedBy: query.get('by'), covers: null });
    return json(hold);
  }

  #problems(now: number): object[] {
    return Array.from({ length: this.#cameras }, (_, i) => i)
      .filter((i) => stateOf(i) === 'problem')
      .slice(0, 3)
      .map((i): object => ({ part: `camera/cam-${String(i + 1).padStart(3, '0')}`, message: 'the camera answered but no packet came to 10.0.0.5:30002 in 10 s: check that its network reaches this address, and that no firewall drops UDP', since: now - 600_000 }))
      .concat(this.#cameras > 0 ? [{ part: 'footage/space', message: 'the disk of the footage fills up: 390 GB of 8000 GB free, 50 GB are kept free, full in about 1.3 days at the present rate: free space, enlarge the disk, or shorten retentions', since: now - 5_400_000 }] : []);
  }

  #file(pathname: string, response: ServerResponse): void {
    const folder = join(program.root, 'dist', 'console');
    const file = join(folder, normalize(pathname === '/' ? 'index.html' : pathname));
    if (!file.startsWith(folder) || !existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream' }).end(readFileSync(file));
  }
}

let picture: Promise<Buffer> | null = null;

/** A street as plain as can be: road, kerb and lines. */
function street(): Promise<Buffer> {
  picture ??= sharp(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1920" height="1080"><rect width="1920" height="1080" fill="#5c6670"/><rect width="1920" height="250" fill="#8fa38f"/><path d="M0 1000 L1920 960 L1920 1080 L0 1080Z" fill="#7d868f"/><path d="M0 280 H1920 M0 640 H1920" stroke="#d8dcd8" stroke-width="8"/></svg>')).jpeg({ quality: 70 }).toBuffer();
  return picture;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await new StubApi(300).start(Number(process.argv[2] ?? 0)));
