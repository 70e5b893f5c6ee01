/**
 * Receives the streams of `sending.js` in a process of its own, so that its CPU time and memory are those of receiving alone:
 * `node --expose-gc receiving.js '<JSON of ReceivingOptions>'`. Tells its ports, measures when asked, ends with its channel.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { MediaReceiver } from '../../ingest/media/media-receiver.js';

export interface ReceivingOptions {
  transport: 'udp' | 'tcp-passive';
  streams: number;
  firstSsrc: number;
  /** `product`: RTP to access units; `raw`: bytes are read from the sockets and dropped. */
  how: 'product' | 'raw';
}

export type FromReceiving =
  | { type: 'open'; ports: number[] }
  | { type: 'measured'; cpuMs: number; wallMs: number; units: number; bytes: number; lost: number; rssBytes: number };

const options = JSON.parse(process.argv[2] ?? '') as ReceivingOptions;
const tell = (message: FromReceiving): void => void process.send?.(message);
let units = 0;
let bytes = 0;
const receivers: MediaReceiver[] = [];

async function product(ssrc: number): Promise<number> {
  const receiver = new MediaReceiver({
    host: '127.0.0.1',
    ports: 0,
    transport: options.transport,
    cameraId: `camera-${ssrc}`,
    expectedSsrc: ssrc,
    strictSsrc: true,
    clock: systemClock,
    logger: silentLogger,
    firstPacketTimeoutMs: 60_000,
    silenceTimeoutMs: 60_000,
    onUnit: (unit) => {
      units++;
      bytes += unit.data.length;
    },
    onEvent: () => undefined,
  });
  receivers.push(receiver);
  const { port } = await receiver.start();
  receiver.agree({ ssrc, peerHost: '127.0.0.1' });
  return port;
}

/** The least that any receiver must do. */
async function raw(): Promise<number> {
  const count = (chunk: Buffer): void => void (bytes += chunk.length);
  if (options.transport === 'udp') {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
    socket.on('message', count);
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return socket.address().port;
  }
  const server = createServer((socket) => socket.on('data', count).on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

process.on('message', (message: { type: 'measure'; ms: number }) => {
  const from = { wall: performance.now(), cpu: process.cpuUsage(), units, bytes, lost: lost() };
  setTimeout(() => {
    const cpu = process.cpuUsage(from.cpu);
    const wallMs = performance.now() - from.wall;
    // What is garbage does not count as a stream's memory.
    globalThis.gc?.();
    tell({ type: 'measured', cpuMs: (cpu.user + cpu.system) / 1000, wallMs, units: units - from.units, bytes: bytes - from.bytes, lost: lost() - from.lost, rssBytes: process.memoryUsage.rss() });
  }, message.ms);
});
process.on('disconnect', () => process.exit(0));

const lost = (): number => receivers.reduce((sum, receiver) => sum + receiver.stats().lostPackets, 0);

const ports: number[] = [];
for (let i = 0; i < options.streams; i++) ports.push(await (options.how === 'product' ? product(options.firstSsrc + i) : raw()));
tell({ type: 'open', ports });
