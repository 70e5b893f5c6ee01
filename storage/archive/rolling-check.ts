import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import type { Disk } from '../footage/disk.js';
import type { LogFolder } from '../footage/log-folder.js';
import type { ObjectStore } from '../objects/object-store.js';
import { checkSegment, EVERYTHING, readRow, readRows, type CheckedRow } from './check-segment.js';
import { describeFinding } from './finding.js';
import { keepFindings, readFindings } from './finding-table.js';
import { RateLimit } from './rate-limit.js';

export interface RollingCheckOptions {
  database: Database;
  disk: Disk;
  folder: LogFolder;
  logId: () => string | null;
  store: ObjectStore | null;
  clock: Clock;
  logger: Logger;
  /** Read on the average, files and objects together. */
  bytesPerSecond: number;
  /** Pause where there is nothing to check, or something does not work. */
  idleMs?: number;
}

export interface CheckStatus {
  /** Segments and bytes of the present round, and Unix ms when it began. */
  segments: number;
  bytes: number;
  beganAt: number | null;
  /** When every segment had been looked at once, Unix ms; null: not yet. */
  lastRoundAt: number | null;
  /** What is wrong and not repaired. */
  findings: number;
  /** The newest of them, for people; null where there is none. */
  newest: string | null;
}

const PAGE = 20;
/** A small segment costs a request and a look into the catalogue all the same. */
const LEAST_COST = 256 * 1024;

/**
 * Reads what is stored, slowly and for ever: each segment's file and object whole, in the order of cameras and numbers, and
 * compares them with the catalogue. Where it stands survives restarts. What it finds stays in the catalogue until it is repaired
 * (`berthwatch storage verify --repair`) or found to be good again.
 */
export class RollingCheck {
  readonly #options: Required<RollingCheckOptions>;
  readonly #logger: Logger;
  readonly #limit: RateLimit;
  readonly #stop = new AbortController();
  #loop: Promise<void> | null = null;
  #status: CheckStatus = { segments: 0, bytes: 0, beganAt: null, lastRoundAt: null, findings: 0, newest: null };

  constructor(options: RollingCheckOptions) {
    this.#options = { idleMs: 60_000, ...options };
    this.#logger = options.logger.child({ part: 'storage-check' });
    this.#limit = new RateLimit(options.clock, options.bytesPerSecond);
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the check is being ended'));
    await this.#loop;
  }

  status(): CheckStatus {
    return this.#status;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const log = this.#options.logId();
        if (log !== null && (await this.#page(log))) continue;
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.info({ error: messageOf(error) }, 'the check of stored footage waits');
      }
      await sleep(this.#options.clock, this.#options.idleMs, signal).catch(() => undefined);
    }
  }

  /** The next segments; false at the end of a round. */
  async #page(log: string): Promise<boolean> {
    const { database, clock } = this.#options;
    const at = await this.#position(log);
    const rows = await readRows(database, log, EVERYTHING, at, PAGE);
    for (const row of rows) {
      if (this.#stop.signal.aborted) return true;
      await this.#check(row);
      await database.query('UPDATE storage_check SET camera_id = $2, segment = $3, segments = segments + 1, bytes = bytes + $4 WHERE log_id = $1', [log, row.cameraId, row.segment, row.bytes]);
      this.#status = { ...this.#status, segments: this.#status.segments + 1, bytes: this.#status.bytes + row.bytes };
    }
    await this.#count();
    if (rows.length > 0) return true;
    await database.query(`UPDATE storage_check SET camera_id = '', segment = 0, segments = 0, bytes = 0, began_at = $2, last_round_at = $2 WHERE log_id = $1`, [log, clock.now()]);
    return false;
  }

  async #position(log: string): Promise<{ cameraId: string; segment: number }> {
    const { database, clock } = this.#options;
    await database.query(`INSERT INTO storage_check (log_id, camera_id, segment, segments, bytes, began_at) VALUES ($1, '', 0, 0, 0, $2) ON CONFLICT DO NOTHING`, [log, clock.now()]);
    const { rows } = await database.query<{ camera_id: string; segment: number; segments: number; bytes: number; began_at: number; last_round_at: number | null }>('SELECT * FROM storage_check WHERE log_id = $1', [log]);
    const row = rows[0];
    if (!row) throw new BerthwatchError('unavailable', 'STORAGE_CHECK', 'the position of the check was removed');
    this.#status = { ...this.#status, segments: row.segments, bytes: row.bytes, beganAt: row.began_at, lastRoundAt: row.last_round_at };
    return { cameraId: row.camera_id, segment: row.segment };
  }

  async #check(row: CheckedRow): Promise<void> {
    const { database, clock } = this.#options;
    const cost = row.bytes * (row.place === 'both' ? 2 : 1);
    await this.#limit.take(Math.max(cost, LEAST_COST), this.#stop.signal);
    let findings = await checkSegment(this.#options, row, { deep: true, listed: null });
    if (findings.length > 0) {
      // It may have been freed, uploaded or removed meanwhile.
      const now = await readRow(database, row.cameraId, row.segment);
      findings = now === null ? [] : await checkSegment(this.#options, now, { deep: true, listed: null });
    }
    for (const found of findings) this.#logger.error({ camera: row.cameraId, segment: row.segment, kind: found.kind }, describeFinding(found));
    await keepFindings(database, row, findings, clock.now(), true);
  }

  async #count(): Promise<void> {
    const { count, findings } = await readFindings(this.#options.database, 1);
    const [newest] = findings;
    this.#status = { ...this.#status, findings: count, newest: newest ? describeFinding(newest) : null };
  }
}
