import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutations } from '../../base/fuzz-target.js';
import { program } from '../../base/program-root.js';
import { haveTool } from '../../base/test-tools.js';
import { pause, Street, until } from './support/street.js';

const CASES = 10_000;
const SEED = 20_260_102;
/** Growth of the whole process, caches and test harness included, that is still no leak. */
const GROWTH_LIMIT_BYTES = 192 * 1024 * 1024;

/** Committed corpora: what goes to a port looks like what that port expects, until it is mutated. */
function corpus(...folders: string[]): Uint8Array[] {
  return folders.flatMap((folder) => readdirSync(join(program.root, folder)).map((name) => new Uint8Array(readFileSync(join(program.root, folder, name)))));
}

async function sendDatagrams(port: number, inputs: readonly Uint8Array[]): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  for (const [i, input] of inputs.entries()) {
    socket.send(input.subarray(0, 60_000), port, '127.0.0.1', () => undefined);
    // The port must see them, not the kernel drop them.
    if (i % 20 === 19) await pause(2);
  }
  await pause(200);
  await new Promise<void>((resolve) => socket.close(() => resolve()));
}

/** Each input as one or more chunks on a connection; the service may end it whenever it likes. */
async function sendChunks(port: number, inputs: readonly Uint8Array[]): Promise<void> {
  const open = new Set<Socket>();
  for (let i = 0; i < inputs.length; i += 10) {
    const socket = connect(port, '127.0.0.1');
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    socket.once('close', () => open.delete(socket));
    for (const input of inputs.slice(i, i + 10)) {
      const middle = input.length >> 1;
      socket.write(input.subarray(0, middle));
      socket.write(input.subarray(middle));
    }
    // Every other one is left open, as an attacker would.
    if (i % 20 === 0) socket.end();
    await pause(1);
    if (open.size > 200) for (const old of [...open].slice(0, 100)) old.destroy();
  }
  await pause(200);
  for (const socket of open) socket.destroy();
}

/** Whatever comes to its ports, the service goes on with its cameras. */
describe.skipIf(!haveTool('ffmpeg'))('noise on the ports of a running service', () => {
  const street = new Street({ cameras: [{ transport: 'udp' }, { transport: 'tcp-passive', codec: 'h265' }] });
  beforeAll(async () => {
    await street.start();
    await street.streaming();
  });
  afterAll(() => street.close());

  it(`takes ${CASES} datagrams and chunks on SIP and media ports, and its cameras stream on`, async () => {
    // The cameras know their media ports: it is where they send to.
    const ports = street.cameras.map((camera) => Number((camera.log.events('streaming').at(-1) as { port?: number } | undefined)?.port));
    expect(ports.every((port) => port > 0)).toBe(true);
    const sip = mutations(corpus('ingest/sip/corpus', 'ingest/gb28181/corpus/manscdp'), SEED);
    const rtp = mutations(corpus('ingest/media/corpus/rtp', 'ingest/media/corpus/ps', 'ingest/media/corpus/rfc4571'), SEED + 1);
    const take = (stream: Iterator<Uint8Array>, count: number): Uint8Array[] => Array.from({ length: count }, () => stream.next().value as Uint8Array);
    const quarter = CASES / 4;
    // Once to warm every path up, so that what grows afterwards is growth.
    await sendDatagrams(street.sipPort, take(sip, 500));
    await sendChunks(street.sipPort, take(sip, 500));
    await sendDatagrams(ports[0] as number, take(rtp, 500));
    const before = process.memoryUsage().rss;
    await Promise.all([
      sendDatagrams(street.sipPort, take(sip, quarter)),
      sendChunks(street.sipPort, take(sip, quarter)),
      sendDatagrams(ports[0] as number, take(rtp, quarter)),
      sendChunks(ports[1] as number, take(rtp, quarter)),
    ]);
    const grown = process.memoryUsage().rss - before;
    console.log(`memory of the whole process grew by ${(grown / 1024 / 1024).toFixed(0)} MB over ${CASES} inputs`);
    expect(grown).toBeLessThan(GROWTH_LIMIT_BYTES);

    const since = Date.now();
    await until('both cameras are seen after the noise', async () => (await street.analysedTo('cam-1')) > since && (await street.analysedTo('cam-2')) > since, 60_000, () => street.told());
    // The noise came from elsewhere or without the streams' SSRC: none of it may have become footage.
    expect(street.said(/a bug|uncaught|TypeError|RangeError/i)).toEqual([]);

    // A camera that comes now is taken as before.
    const registered = street.cameras[0]?.log.waitForNew('registered', () => true, 30_000);
    street.cameras[0]?.registerAgain();
    await registered;
    const cameras = await street.get<{ online: boolean; stream: { state: string } }[]>('/api/cameras');
    expect(cameras.slice(0, 2).map((camera) => [camera.online, camera.stream.state])).toEqual([[true, 'streaming'], [true, 'streaming']]);
  });
});
