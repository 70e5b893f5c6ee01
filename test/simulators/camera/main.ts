/**
 * `node dist/test/simulators/camera/main.js --config camera.json [--server host:port] [--speed n] [--once] [--timeline held|wall] [--set key=value]…`
 * One camera, or several (`{"cameras": [...]}`) in one process. What happens is printed as JSON lines.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { CameraSimulator } from './camera.js';
import type { CameraConfigInput } from './config.js';

interface Options {
  config: string;
  server?: string;
  speed?: string;
  once?: boolean;
  timeline?: string;
  set: string[];
}

/** `a.b.c=value` into nested objects; the value is JSON where it parses as such, else text. */
function assign(target: Record<string, unknown>, assignment: string): void {
  const equals = assignment.indexOf('=');
  if (equals < 1) throw new Error(`--set wants key=value, not '${assignment}'`);
  const path = assignment.slice(0, equals).split('.');
  const text = assignment.slice(equals + 1);
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // Plain text.
  }
  let at = target;
  for (const key of path.slice(0, -1)) {
    at[key] = { ...(at[key] as Record<string, unknown> | undefined) };
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
}

function configured(raw: Record<string, unknown>, options: Options): Record<string, unknown> {
  const config = structuredClone(raw);
  if (options.server !== undefined) {
    const colon = options.server.lastIndexOf(':');
    assign(config, `server.host=${JSON.stringify(options.server.slice(0, colon))}`);
    assign(config, `server.port=${options.server.slice(colon + 1)}`);
  }
  if (options.speed !== undefined) assign(config, `playback.speed=${options.speed}`);
  if (options.once) assign(config, 'playback.loop=false');
  if (options.timeline !== undefined) assign(config, `playback.timeline=${options.timeline}`);
  for (const assignment of options.set) assign(config, assignment);
  return config;
}

async function main(): Promise<void> {
  const options = new Command('camera')
    .description('a simulated GB/T 28181-2016 camera')
    .requiredOption('--config <file>', 'JSON: one camera, or {"cameras": [...]}')
    .option('--server <host:port>', "the platform's SIP address")
    .option('--speed <factor>', 'seconds of clip per second')
    .option('--once', 'do not loop the clip')
    .option('--timeline <held|wall>', 'does the scenario stand still while nobody watches?')
    .option('--set <key=value>', 'any configuration key, e.g. misbehaviour.noPsm=true', (value, all: string[]) => [...all, value], [] as string[])
    .parse()
    .opts<Options>();
  const file = JSON.parse(readFileSync(options.config, 'utf8')) as { cameras?: Record<string, unknown>[] } & Record<string, unknown>;
  const cameras = (file.cameras ?? [file]).map(
    (raw) => new CameraSimulator(configured(raw, options) as CameraConfigInput, (event) => process.stdout.write(`${JSON.stringify(event)}\n`)),
  );
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void Promise.all(cameras.map((camera) => camera.close())).then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await Promise.all(cameras.map((camera) => camera.start()));
}

main().catch((error: Error) => {
  process.stderr.write(`camera: ${error.message}\n`);
  process.exit(2);
});
