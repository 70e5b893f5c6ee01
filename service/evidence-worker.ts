import type { Clock } from '../base/clock.js';
import { BerthwatchError, messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { EvidencePicture, EvidenceResult } from '../evidence/make.js';
import type { VisitEvent } from '../evidence/plan.js';
import type { PlatformMessage } from '../platform/message.js';
import { enqueue, type OutboxEntry } from '../platform/outbox/outbox-table.js';
import type { Database } from '../storage/catalogue/database.js';
import { messageKey, type RecordContext } from './records/event-records.js';

export interface EvidenceWorkerOptions {
  database: Database;
  /** Makes and stores the pictures of one event; the same event gives the same pictures. */
  make: (event: VisitEvent) => Promise<EvidenceResult>;
  lotOfBerth: (berthId: string) => string;
  platforms: RecordContext['platforms'];
  clock: Clock;
  logger: Logger;
  /** Told after the pictures of an event are stored. */
  onMade: (event: VisitEvent, pictures: readonly EvidencePicture[], seconds: number) => void;
  onTrouble: (message: string | null) => void;
}

interface Job {
  id: string;
  event: VisitEvent;
  attempts: number;
}

const IDLE_MS = 2_000;
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 300_000;
/** Footage that is not there will not come back: after so many looks the visit goes on without these pictures. */
const MOST_MISSING = 5;

/**
 * Makes the pictures of visits, one job after the other in the order of their events. Pictures, their rows and the messages that
 * carry them become true in one transaction with the end of the job, so that a crash repeats the job and changes nothing.
 */
export class EvidenceWorker {
  readonly #options: EvidenceWorkerOptions;
  #closed = false;
  #running: Promise<void> | null = null;
  #again = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: EvidenceWorkerOptions) {
    this.#options = options;
  }

  start(): void {
    this.poke();
  }

  /** There may be a new job. */
  poke(): void {
    if (this.#closed) return;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      this.#cancelTimer();
      if (this.#again) this.poke();
      else if (!this.#closed) this.#cancelTimer = this.#options.clock.after(IDLE_MS, () => this.poke());
    });
  }

  /** Ends after the job in hand. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { onTrouble, logger } = this.#options;
    this.#again = false;
    try {
      for (let job = await this.#next(); job !== null && !this.#closed; job = await this.#next()) await this.#work(job);
      onTrouble(null);
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'evidence waits');
      onTrouble(`pictures of visits wait: ${messageOf(error)}`);
    }
  }

  async #next(): Promise<Job | null> {
    const { rows } = await this.#options.database.query<Job>(`SELECT id, event, attempts FROM evidence_job WHERE state = 'pending' AND next_attempt_at <= $1 ORDER BY created_at, id LIMIT 1`, [this.#options.clock.now()]);
    return rows[0] ?? null;
  }

  async #work(job: Job): Promise<void> {
    const { make, clock, onMade, logger } = this.#options;
    const began = clock.monotonic();
    let result: EvidenceResult;
    try {
      result = await make(job.event);
    } catch (error) {
      await this.#failed(job, error);
      return;
    }
    for (const missing of result.missing) logger.error({ job: job.id, ...missing }, 'a picture of a visit can never be made');
    await this.#done(job, result);
    onMade(job.event, result.pictures, (clock.monotonic() - began) / 1000);
  }

  async #done(job: Job, { pictures, missing }: EvidenceResult): Promise<void> {
    const { database, lotOfBerth, platforms, clock } = this.#options;
    const { event } = job;
    await database.transaction(async (tx) => {
      const { rowCount } = await tx.query(`UPDATE evidence_job SET state = 'done', attempts = attempts + 1, last_error = $2 WHERE id = $1 AND state = 'pending'`, [
        job.id,
        missing.length === 0 ? null : missing.map((picture) => `${picture.pictureId}: ${picture.reason}`).join('; ').slice(0, 1000),
      ]);
      if (rowCount === 0) return;
      for (const picture of pictures) {
        await tx.query(
          `INSERT INTO evidence (picture_id, visit_uid, job_id, kind, role, object_key, sha256, bytes, width, height, taken_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (picture_id) DO NOTHING`,
          [picture.pictureId, event.visit.uid, job.id, picture.kind, picture.role, picture.key, picture.sha256, picture.bytes, picture.width, picture.height, picture.takenAt],
        );
      }
      await enqueue(tx, photoMessages(event, pictures, lotOfBerth(event.visit.berthId), platforms, clock.now()));
    });
  }

  async #failed(job: Job, error: unknown): Promise<void> {
    const { database, clock, logger } = this.#options;
    const missing = error instanceof BerthwatchError && (error.kind === 'not-found' || error.kind === 'bad-input');
    const final = missing && job.attempts + 1 >= MOST_MISSING;
    const wait = Math.min(FIRST_RETRY_MS * 2 ** Math.min(job.attempts, 20), LONGEST_RETRY_MS);
    logger[final ? 'error' : 'warn']({ job: job.id, attempt: job.attempts + 1, error: messageOf(error) }, final ? 'the pictures of a visit cannot be made' : 'the pictures of a visit wait');
    await database.query(`UPDATE evidence_job SET attempts = attempts + 1, last_error = $2, next_attempt_at = $3, state = $4 WHERE id = $1`, [job.id, messageOf(error).slice(0, 1000), clock.now() + wait, final ? 'failed' : 'pending']);
  }
}

/** A correction's pictures belong to the stay that is still going on: they follow the correction and count as enter pictures. */
function photoMessages(event: VisitEvent, pictures: readonly EvidencePicture[], lotCode: string, platforms: RecordContext['platforms'], now: number): OutboxEntry[] {
  const { uid } = event.visit;
  const record = event.type === 'left' ? messageKey.leave(uid) : messageKey.enter(uid);
  return platforms
    .filter((platform) => platform.accepts.has('photo'))
    .flatMap((platform) =>
      pictures.map((picture) => {
        const message: PlatformMessage = {
          kind: 'photo',
          lotCode,
          uid,
          photoId: picture.pictureId,
          of: event.type === 'left' ? 'leave' : 'enter',
          takenAt: picture.takenAt,
          name: `${picture.pictureId}.jpg`.slice(-60),
          objectKey: picture.key,
        };
        return { platform: platform.id, key: messageKey.photo(picture.pictureId), requires: [record], message, visitUid: uid, createdAt: now };
      }),
    );
}
