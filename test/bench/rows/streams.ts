import { fork, type ChildProcess } from 'node:child_process';
import type { FromReceiving, ReceivingOptions } from '../receiving.js';
import type { BenchContext, BenchResult, BenchRow } from '../row.js';

const STREAMS = 20;
const FIRST_SSRC = 200_000_000;
/** Until connections stand and the engine has compiled what runs. */
const WARM_UP_MS = 4_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
type Measurement = Extract<FromReceiving, { type: 'measured' }>;

/**
 * Streams per core and memory per stream: real sockets on loopback, access units that nobody keeps. The reference reads the same
 * bytes from its sockets and drops them, which is what the system and the engine take before a line of ours runs.
 */
export const streams: BenchRow = {
  name: 'streams',
  async run(context) {
    const clip = context.inputs.stream();
    const results: BenchResult[] = [];
    for (const transport of ['udp', 'tcp-passive'] as const) {
      const measure = (how: 'product' | 'raw', count: number): Promise<Measurement> => {
        context.progress(`${how === 'raw' ? 'reference: bytes read and dropped' : 'streams'}: ${count} × ${transport}`);
        return receive(context, clip.file, { transport, streams: count, firstSsrc: FIRST_SSRC, how });
      };
      const one = await measure('product', 1);
      const many = await measure('product', STREAMS);
      const raw = await measure('raw', STREAMS);
      const cases = ({ wallMs }: Measurement): number => (STREAMS * wallMs) / 1000;
      const perCore = 1000 / (many.cpuMs / cases(many));
      results.push({
        what: `receive, ${transport}, ${STREAMS} streams`,
        unit: 'stream-second',
        measured: { cases: cases(many), wallMs: many.wallMs, cpuMs: many.cpuMs },
        reference: { what: 'the same bytes read from the sockets and dropped', measured: { cases: cases(raw), wallMs: raw.wallMs, cpuMs: raw.cpuMs } },
        notes: [
          `${perCore.toFixed(0)} streams per core (${clip.what}); memory per stream ${((many.rssBytes - one.rssBytes) / (STREAMS - 1) / 1024).toFixed(0)} KiB (resident memory with ${STREAMS} streams ${(many.rssBytes / 2 ** 20).toFixed(0)} MiB, with one ${(one.rssBytes / 2 ** 20).toFixed(0)} MiB)`,
          `${many.units} of about ${((STREAMS * many.wallMs) / 40).toFixed(0)} pictures, ${many.lost} packets lost`,
        ],
      });
    }
    return results;
  },
};

async function receive(context: BenchContext, clip: string, options: ReceivingOptions): Promise<Measurement> {
  const receiving = fork(new URL('../receiving.js', import.meta.url), [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: ['--expose-gc'] });
  let sending: ChildProcess | null = null;
  try {
    const { ports } = await next(receiving, 'open');
    const plan = { clip, transport: options.transport, streams: ports.map((port, i) => ({ port, ssrc: options.firstSsrc + i })) };
    sending = fork(new URL('../sending.js', import.meta.url), [JSON.stringify(plan)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
    await pause(WARM_UP_MS);
    const measured = next(receiving, 'measured');
    receiving.send({ type: 'measure', ms: context.seconds * 1000 });
    return await measured;
  } finally {
    await Promise.all([sending, receiving].map((child) => child && ended(child)));
  }
}

function next<K extends FromReceiving['type']>(child: ChildProcess, type: K): Promise<Extract<FromReceiving, { type: K }>> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: FromReceiving) => (message.type === type ? resolve(message as Extract<FromReceiving, { type: K }>) : undefined));
    child.once('exit', (code) => reject(new Error(`the receiving process ended with ${code}`)));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  if (child.connected) child.disconnect();
  await exit;
}
