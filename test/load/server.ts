/**
 * The ingest side of the service in a process of its own: signalling server, camera streams, device desk and footage log, as `serve` joins
 * them. `node server.js '<JSON of ServerOptions>'`; the parent may kill it at any time and start another on the same data.
 */
import { Socket } from 'node:dgram';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../../base/clock.js';
import { DeviceDesk } from '../../service/devices/device-desk.js';
import { Feed } from '../../service/live/feed.js';
import { ProblemBoard } from '../../service/live/problems.js';
import { createLogger } from '../../service/log.js';
import type { DatabaseAddress } from '../../storage/catalogue/database-address.js';
import { Database } from '../../storage/catalogue/database.js';
import { migrate } from '../../storage/catalogue/migrate.js';
import { FootageLog } from '../../storage/footage/footage-log.js';
import { TestPlatform, type Watched } from '../gb28181/platform.js';
import { channelId, deviceId, PASSWORD, type FromServer, type ServerOptions } from './protocol.js';

const options = JSON.parse(process.argv[2] ?? '') as ServerOptions;
const tell = (message: FromServer): void => void process.send?.(message);
// The service's own logger at its own level: what it writes costs what it costs there.
const logger = createLogger('info');

const database = new Database({ address: options.database as DatabaseAddress, clock: systemClock, logger });
await migrate(database, { clock: systemClock, logger });
const log = new FootageLog({ folder: options.footage, database, clock: systemClock, logger });
await log.start();

let registerMs: number[] = [];
/** A datagram is answered before its event is over: how long that takes is the server's own part in a registration. */
const emit = Socket.prototype.emit as (this: Socket, event: string, ...args: unknown[]) => boolean;
Socket.prototype.emit = function (this: Socket, event: string, ...args: unknown[]): boolean {
  const first = args[0];
  if (event !== 'message' || !Buffer.isBuffer(first) || first.toString('latin1', 0, 9) !== 'REGISTER ') return emit.call(this, event, ...args);
  const begun = performance.now();
  const result = emit.call(this, event, ...args);
  registerMs.push(performance.now() - begun);
  return result;
} as typeof Socket.prototype.emit;

const offline: string[] = [];
let offlineCount = 0;
let keepalives = 0;
let units = 0;
const streams: Watched[] = [];
const platform: TestPlatform = new TestPlatform({
  host: options.host,
  port: options.port,
  logger,
  devicePassword: () => PASSWORD,
  keepalive: { intervalMs: options.keepaliveMs, missed: 3 },
  stillSending: (id) => streams.some((watched, n) => deviceId(n) === id && watched.stream.status.state === 'streaming'),
});
platform.server.on('offline', ({ device, reason }) => {
  offlineCount += 1;
  if (offline.length < 20) offline.push(`${device.id}: ${reason}`);
});
platform.server.on('keepalive', () => void (keepalives += 1));
// Every device that comes online is asked what it is and what it shows, as by the service. Light devices say 200 and leave it at that.
const feed = new Feed(systemClock);
const desk = new DeviceDesk({
  gb: platform.server,
  site: () => ({ lots: [], cameras: [] }),
  database,
  feed,
  problems: new ProblemBoard(systemClock, logger, feed),
  clock: systemClock,
  logger,
  alarmRetentionMs: 86_400_000,
  snapshotTimeoutMs: 10_000,
  newestFrame: () => Promise.resolve(null),
});
desk.start();
await platform.start();
for (let n = 0; n < options.streams; n += 1) {
  const cameraId = `camera-${n}`;
  streams.push(
    platform.watch(deviceId(n), channelId(n), 'udp', {
      logger,
      sink: {
        append: (unit) => {
          units += 1;
          log.append({ ...unit, cameraId });
        },
        discontinuity: (_id, reason) => log.discontinuity(cameraId, reason),
        streamEnded: () => log.streamEnded(cameraId),
      },
    }),
  );
}

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
tell({ type: 'listening', port: platform.server.address.udpPort });
setInterval(() => {
  const devices = platform.server.devices();
  const cpu = process.cpuUsage();
  tell({
    type: 'status',
    online: devices.filter((device) => device.online).length,
    registered: devices.length,
    streaming: streams.filter(({ stream }) => stream.status.state === 'streaming').length,
    units,
    lostPackets: streams.reduce((sum, { stream }) => sum + (stream.stats?.lostPackets ?? 0), 0),
    droppedGops: log.status().droppedGops,
    offline,
    offlineCount,
    keepalives,
    rssBytes: process.memoryUsage.rss(),
    cpuMs: (cpu.user + cpu.system) / 1000,
    loopMaxMs: delay.max / 1e6,
    registerMs,
    unreadable: platform.server.stats.unreadable,
    faulty: platform.server.stats.faulty,
  });
  registerMs = [];
  delay.reset();
}, 500);
process.on('disconnect', () => process.exit(0));
