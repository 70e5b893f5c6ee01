import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sleep, systemClock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { parseMoment } from '../playback/time-parameter.js';
import type { ExportView } from '../playback/exports/export-jobs.js';
import { loadConfig } from './load-config.js';

export interface ServiceOptions {
  config?: string;
  /** Address of the service, where it is not the one of the configuration. */
  url?: string;
  by?: string;
  out: string;
  force?: boolean;
}

const POLL_MS = 500;

/** The running service, asked over HTTP: it alone may open its footage and its catalogue. */
class Service {
  readonly #url: string;
  readonly #token: string | null;

  constructor(options: ServiceOptions) {
    const { http } = loadConfig(options.config ?? null);
    const host = http.host === '0.0.0.0' ? '127.0.0.1' : http.host === '::' ? '[::1]' : http.host.includes(':') ? `[${http.host}]` : http.host;
    this.#url = options.url?.replace(/\/+$/, '') ?? `http://${host}:${http.port}`;
    this.#token = http.token;
  }

  async call(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#token !== null) headers.set('authorization', `Bearer ${this.#token}`);
    let response: Response;
    try {
      response = await fetch(`${this.#url}${path}`, { ...init, headers });
    } catch (cause) {
      throw new BerthwatchError('unavailable', 'CLI_SERVICE', `the service does not answer at ${this.#url} (${messageOf(cause)}): start it, name its configuration with --config, or its address with --url`, { cause });
    }
    if (response.ok) return response;
    const answer = (await response.json().catch(() => null)) as { message?: string } | null;
    const token = response.status === 401 ? ' (the token is taken from http.token of the configuration, or BERTHWATCH_TOKEN)' : '';
    throw new BerthwatchError(response.status === 404 ? 'not-found' : 'unavailable', 'CLI_REFUSED', `${answer?.message ?? `HTTP ${response.status}`}${token}`);
  }

  async json<T>(path: string, init: RequestInit = {}): Promise<T> {
    return (await (await this.call(path, init)).json()) as T;
  }
}

/** `berthwatch footage export`: a clip of a camera into a file, with `<file>.sha256` and `<file>.json` beside it. */
export async function exportFootage(options: ServiceOptions & { camera: string; from: string; to: string; watermark?: string }): Promise<void> {
  const moment = (text: string, name: string): number => {
    const at = parseMoment(text);
    if (at === null) throw new BerthwatchError('bad-input', 'CLI_TIME', `--${name} "${text}" is no time: write "2026-01-01 08:00:00" (Beijing time), 2026-01-01T08:00:00+08:00, or Unix milliseconds`);
    return at;
  };
  await runExport(options, { kind: 'clip', camera: options.camera, from: moment(options.from, 'from'), to: moment(options.to, 'to'), watermark: options.watermark ?? null });
}

/** `berthwatch visit export`: a visit as a ZIP. */
export async function exportVisit(uid: string, options: ServiceOptions & { before?: string; after?: string; wholeStay?: boolean; watermark?: string }): Promise<void> {
  const { before = '15', after = '30', wholeStay = false, watermark = null } = options;
  await runExport(options, { kind: 'visit', visit: uid, before: Number(before), after: Number(after), wholeStay, watermark });
}

async function runExport(options: ServiceOptions, request: object): Promise<void> {
  const { out } = options;
  if (existsSync(out) && !options.force) throw new BerthwatchError('bad-input', 'CLI_FILE', `${out} exists already: give another name, or --force`);
  const service = new Service(options);
  const body = JSON.stringify({ ...request, requestedBy: options.by ?? userInfo().username });
  let view = await service.json<ExportView>('/api/exports', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { id } = view;
  let cancelled = false;
  const cancel = (): void => {
    if (cancelled) process.exit(130);
    cancelled = true;
  };
  process.on('SIGINT', cancel);
  try {
    while (view.state === 'waiting' || view.state === 'running') {
      if (cancelled) {
        await service.call(`/api/exports/${id}`, { method: 'DELETE' });
        throw new BerthwatchError('conflict', 'CLI_CANCELLED', 'the export was cancelled');
      }
      progress(view.state === 'waiting' ? 'waiting for its turn' : `${Math.floor(view.progress * 100)} %`);
      await sleep(systemClock, POLL_MS);
      view = await service.json<ExportView>(`/api/exports/${id}`);
    }
    progress('');
    if (view.state !== 'done') throw new BerthwatchError('unavailable', 'CLI_EXPORT', view.error ?? `the export is ${view.state}`);
    await fetchFile(service, view, out);
  } finally {
    process.off('SIGINT', cancel);
  }
  const name = basename(out);
  await writeFile(`${out}.sha256`, `${view.sha256}  ${name}\n`);
  await writeFile(`${out}.json`, `${JSON.stringify({ ...(view.facts as object), ...((view.facts as { file?: string }).file === undefined ? {} : { file: name }) }, null, 2)}\n`);
  await service.call(`/api/exports/${id}`, { method: 'DELETE' }).catch(() => undefined);
  console.log(`${out}: ${view.bytes} bytes, SHA-256 ${view.sha256}`);
  const { missing = [], absent = [] } = view.facts as { missing?: { fromText: string; toText: string; reason: string }[]; absent?: { what: string; reason: string }[] };
  for (const gap of missing) console.log(`missing: ${gap.fromText} to ${gap.toText}: ${gap.reason}`);
  for (const one of absent) console.log(`absent: ${one.what}: ${one.reason}`);
}

/** The file gets its name only when all of it has come and its hash is the one that was told. */
async function fetchFile(service: Service, view: ExportView, out: string): Promise<void> {
  const partial = `${out}.part`;
  const hash = createHash('sha256');
  try {
    const response = await service.call(`/api/exports/${view.id}/file`);
    const source = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
    source.on('data', (chunk: Buffer) => hash.update(chunk));
    await pipeline(source, createWriteStream(partial));
    const sha256 = hash.digest('hex');
    if (sha256 !== view.sha256) throw new BerthwatchError('unavailable', 'CLI_HASH', `what came has the SHA-256 ${sha256} and not ${view.sha256}: try again`);
    await rename(partial, out);
  } catch (error) {
    await rm(partial, { force: true });
    throw error instanceof BerthwatchError ? error : new BerthwatchError('unavailable', 'CLI_FILE', `cannot write ${out}: ${messageOf(error)}`, { cause: error });
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
