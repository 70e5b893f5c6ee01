import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../base/clock.js';
import { BerthwatchError, messageOf } from '../../../base/errors.js';
import type { Logger } from '../../../base/logger.js';
import type { Database } from '../../../storage/catalogue/database.js';
import type { PlaybackConfig } from '../config.js';

/** Who asks, and how they came; for the audit. */
export interface Requester {
  name: string;
  via: string;
}

export type ExportRequest =
  | { kind: 'clip'; cameraId: string; from: number; to: number; watermark: string | null }
  | { kind: 'visit'; uid: string; beforeMs: number; afterMs: number; wholeStay: boolean; watermark: string | null };

export type ExportState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

/** An export as people see it. Times are Unix ms. */
export interface ExportView {
  id: string;
  request: ExportRequest;
  requestedBy: string;
  state: ExportState;
  /** Share that is done, 0 to 1. */
  progress: number;
  error: string | null;
  file: string | null;
  bytes: number | null;
  sha256: string | null;
  facts: unknown;
  createdAt: number;
  finishedAt: number | null;
  expiresAt: number | null;
}

/** What a maker leaves in the folder that it was given. */
export interface Made {
  file: string;
  bytes: number;
  sha256: string;
  facts: unknown;
}

export interface ExportJobsOptions {
  config: PlaybackConfig['exports'];
  folder: string;
  database: Database;
  clock: Clock;
  logger: Logger;
  /** About how many bytes it will have. @throws BerthwatchError where it cannot be made */
  estimate: (request: ExportRequest) => Promise<number>;
  make: (request: ExportRequest, folder: string, signal: AbortSignal, onProgress: (share: number) => void) => Promise<Made>;
}

interface Row {
  id: string;
  request: ExportRequest;
  requested_by: string;
  via: string;
  state: ExportState;
  error: string | null;
  file: string | null;
  bytes: number | null;
  sha256: string | null;
  facts: unknown;
  created_at: number;
  finished_at: number | null;
  expires_at: number | null;
}

const COLUMNS = 'id, request, requested_by, via, state, error, file, bytes, sha256, facts, created_at, finished_at, expires_at';
const SWEEP_MS = 60_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Exports as jobs: rows are the truth, a few are made at a time, what was interrupted is made again after a start. Files lie under
 * `<folder>/<id>/` until their time is over; each step leaves a line in the audit.
 */
export class ExportJobs {
  readonly #options: ExportJobsOptions;
  readonly #running = new Map<string, { abort: AbortController; progress: number; done: Promise<void> }>();
  #cancelSweep: () => void = () => undefined;
  #closed = false;
  #pumping = false;
  /** Requests are admitted one after the other, so that two cannot both find the last room. */
  #admission: Promise<unknown> = Promise.resolve();

  constructor(options: ExportJobsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    try {
      await this.#options.database.query(`UPDATE footage_export SET state = 'waiting' WHERE state = 'running'`);
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, 'interrupted exports cannot be taken up now');
    }
    await this.#sweep();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep();
    for (const { abort } of this.#running.values()) abort.abort(new BerthwatchError('unavailable', 'EXPORT_CLOSED', 'the service is stopping'));
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  /** @throws BerthwatchError not-found (nothing to export), conflict (no room), unavailable (too many wait) */
  request(request: ExportRequest, by: Requester): Promise<ExportView> {
    const work = this.#admission.then(async () => {
      const { config, database, clock } = this.#options;
      const estimate = await this.#options.estimate(request);
      const { rows } = await database.query<{ waiting: number; bytes: number }>(
        `SELECT count(*) FILTER (WHERE state IN ('waiting', 'running'))::int4 AS waiting, coalesce(sum(bytes) FILTER (WHERE state = 'done'), 0)::int8 AS bytes FROM footage_export`,
      );
      const { waiting = 0, bytes = 0 } = rows[0] ?? {};
      if (waiting >= config.waiting + config.concurrent) throw new BerthwatchError('unavailable', 'EXPORT_BUSY', `${waiting} exports wait already: try again when some are done, or cancel one`);
      if (bytes + estimate > config.quota) {
        throw new BerthwatchError('conflict', 'EXPORT_QUOTA', `this export has about ${mebibytes(estimate)} MiB and the finished ones ${mebibytes(bytes)} MiB, together more than the ${mebibytes(config.quota)} MiB allowed: delete some that were downloaded, or raise playback.exports.quota`);
      }
      const id = randomUUID();
      await database.query(`INSERT INTO footage_export (id, kind, request, requested_by, via, state, created_at) VALUES ($1, $2, $3, $4, $5, 'waiting', $6)`, [id, request.kind, JSON.stringify(request), by.name, by.via, clock.now()]);
      await this.audit({ who: by, event: 'requested', what: request, exportId: id });
      void this.#pump();
      return this.get(id);
    });
    this.#admission = work.catch(() => undefined);
    return work;
  }

  /** @throws BerthwatchError not-found */
  async get(id: string): Promise<ExportView> {
    return this.#view(await this.#row(id));
  }

  /** Newest first. */
  async list(limit: number, before: number | null): Promise<ExportView[]> {
    const { rows } = await this.#options.database.query<Row>(`SELECT ${COLUMNS} FROM footage_export WHERE $2::int8 IS NULL OR created_at < $2 ORDER BY created_at DESC, id LIMIT $1`, [limit, before]);
    return rows.map((row) => this.#view(row));
  }

  /** The finished file. @throws BerthwatchError not-found, conflict (it is not finished) */
  async file(id: string, by: Requester): Promise<{ path: string; name: string; bytes: number; sha256: string }> {
    const row = await this.#row(id);
    if (row.state !== 'done' || row.file === null || row.bytes === null || row.sha256 === null) throw new BerthwatchError('conflict', 'EXPORT_STATE', `export ${id} is ${row.state}${row.error === null ? '' : `: ${row.error}`}`);
    await this.audit({ who: by, event: 'downloaded', what: row.request, exportId: id, bytes: row.bytes, sha256: row.sha256 });
    return { path: join(this.#options.folder, id, row.file), name: row.file, bytes: row.bytes, sha256: row.sha256 };
  }

  /** Cancels what is not finished, deletes what is. */
  async remove(id: string, by: Requester): Promise<void> {
    const row = await this.#row(id);
    const running = this.#running.get(id);
    if (row.state === 'waiting' || row.state === 'running') {
      await this.#options.database.query(`UPDATE footage_export SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state IN ('waiting', 'running')`, [id, this.#options.clock.now()]);
      await this.audit({ who: by, event: 'cancelled', what: row.request, exportId: id });
      running?.abort.abort(new BerthwatchError('conflict', 'EXPORT_CANCELLED', 'the export was cancelled'));
      await running?.done;
      return;
    }
    await this.#delete(id);
    await this.audit({ who: by, event: 'deleted', what: row.request, exportId: id, bytes: row.bytes, sha256: row.sha256 });
  }

  /** One line of the audit. */
  async audit(line: { who: Requester; event: string; what: unknown; exportId?: string | null; bytes?: number | null; sha256?: string | null }): Promise<void> {
    const { who, event, what, exportId = null, bytes = null, sha256 = null } = line;
    await this.#options.database.query(`INSERT INTO footage_export_audit (at, who, via, event, what, export_id, bytes, sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [this.#options.clock.now(), who.name, who.via, event, JSON.stringify(what), exportId, bytes, sha256]);
  }

  /** Lines of the audit, newest first. */
  async auditLines(limit: number, before: number | null): Promise<{ id: number; at: number; who: string; via: string; event: string; what: unknown; exportId: string | null; bytes: number | null; sha256: string | null }[]> {
    const { rows } = await this.#options.database.query<{ id: number; at: number; who: string; via: string; event: string; what: unknown; exportId: string | null; bytes: number | null; sha256: string | null }>(
      `SELECT id, at, who, via, event, what, export_id AS "exportId", bytes, sha256 FROM footage_export_audit WHERE $2::int8 IS NULL OR id < $2 ORDER BY id DESC LIMIT $1`,
      [limit, before],
    );
    return rows;
  }

  async #row(id: string): Promise<Row> {
    const { rows } = UUID.test(id) ? await this.#options.database.query<Row>(`SELECT ${COLUMNS} FROM footage_export WHERE id = $1`, [id]) : { rows: [] };
    const row = rows[0];
    if (!row) throw new BerthwatchError('not-found', 'API_NOT_FOUND', `there is no export ${id}`);
    return row;
  }

  #view(row: Row): ExportView {
    const { id, request, state, error, file, bytes, sha256, facts } = row;
    return { id, request, requestedBy: row.requested_by, state, progress: state === 'done' ? 1 : (this.#running.get(id)?.progress ?? 0), error, file, bytes, sha256, facts, createdAt: row.created_at, finishedAt: row.finished_at, expiresAt: row.expires_at };
  }

  /** Begins waiting exports while there is room. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#closed && this.#running.size < this.#options.config.concurrent) {
        const { rows } = await this.#options.database.query<Row>(`UPDATE footage_export SET state = 'running' WHERE id = (SELECT id FROM footage_export WHERE state = 'waiting' ORDER BY created_at, id LIMIT 1) AND state = 'waiting' RETURNING ${COLUMNS}`);
        const row = rows[0];
        if (!row) break;
        const entry = { abort: new AbortController(), progress: 0, done: Promise.resolve() };
        this.#running.set(row.id, entry);
        entry.done = this.#run(row, entry).finally(() => {
          this.#running.delete(row.id);
          void this.#pump();
        });
      }
    } catch (error) {
      // The rows stay as they are; the sweep looks again.
      this.#options.logger.warn({ error: messageOf(error) }, 'exports cannot be begun now');
    } finally {
      this.#pumping = false;
    }
  }

  async #run(row: Row, entry: { abort: AbortController; progress: number }): Promise<void> {
    const { database, clock, config, logger, make, folder } = this.#options;
    const own = join(folder, row.id);
    const who = { name: row.requested_by, via: row.via };
    try {
      await rm(own, { recursive: true, force: true });
      await mkdir(own, { recursive: true });
      const made = await make(row.request, own, entry.abort.signal, (share) => (entry.progress = share));
      const now = clock.now();
      const { rowCount } = await database.query(`UPDATE footage_export SET state = 'done', file = $2, bytes = $3, sha256 = $4, facts = $5, finished_at = $6, expires_at = $7 WHERE id = $1 AND state = 'running'`, [row.id, made.file, made.bytes, made.sha256, JSON.stringify(made.facts), now, now + config.keep]);
      if (rowCount === 0) await rm(own, { recursive: true, force: true });
      else await this.audit({ who, event: 'made', what: row.request, exportId: row.id, bytes: made.bytes, sha256: made.sha256 });
      logger.info({ export: row.id, by: who.name, bytes: made.bytes, sha256: made.sha256 }, 'an export was made');
    } catch (error) {
      await rm(own, { recursive: true, force: true }).catch(() => undefined);
      // At the end of the service it stays `running`, and is made again after the next start.
      if (this.#closed || entry.abort.signal.aborted) return;
      logger.warn({ export: row.id, error: messageOf(error) }, 'an export cannot be made');
      try {
        await database.query(`UPDATE footage_export SET state = 'failed', error = $2, finished_at = $3 WHERE id = $1 AND state = 'running'`, [row.id, messageOf(error), clock.now()]);
        await this.audit({ who, event: 'failed', what: row.request, exportId: row.id });
      } catch (later) {
        logger.error({ export: row.id, error: messageOf(later) }, 'the end of an export could not be written down');
      }
    }
  }

  /** Deletes what is over, and folders that no row knows. */
  async #sweep(): Promise<void> {
    const { database, clock, folder, logger } = this.#options;
    try {
      const { rows } = await database.query<{ id: string }>(`SELECT id FROM footage_export WHERE expires_at <= $1 OR (state IN ('failed', 'cancelled') AND finished_at <= $2)`, [clock.now(), clock.now() - this.#options.config.keep]);
      for (const { id } of rows) await this.#delete(id);
      const known = new Set((await database.query<{ id: string }>('SELECT id FROM footage_export')).rows.map(({ id }) => id));
      for (const name of await readdir(folder).catch(() => [])) if (UUID.test(name) && !known.has(name)) await rm(join(folder, name), { recursive: true, force: true });
      void this.#pump();
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'old exports cannot be deleted now');
    }
    if (!this.#closed) this.#cancelSweep = clock.after(SWEEP_MS, () => void this.#sweep());
  }

  async #delete(id: string): Promise<void> {
    await rm(join(this.#options.folder, id), { recursive: true, force: true });
    await this.#options.database.query('DELETE FROM footage_export WHERE id = $1', [id]);
  }
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / 1024 ** 2);
