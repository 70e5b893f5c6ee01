import { BerthwatchError } from '../../base/errors.js';
import type { VisitEvent } from '../../evidence/plan.js';
import type { Visit } from '../../parking/model/visit.js';
import { enqueue } from '../../platform/outbox/outbox-table.js';
import type { Database } from '../../storage/catalogue/database.js';
import type { Queryable } from '../../storage/catalogue/queryable.js';
import type { LogPosition } from '../../storage/footage/segment.js';
import { messagesOf, type RecordContext } from './event-records.js';

/** Where a camera's analysis stands, with the state that the next step starts from. */
export interface AnalysisCheckpoint {
  position: LogPosition;
  /** `capturedAt` of the last frame that was reduced. */
  analysedTo: number;
  /** JSON of the pipeline's state. */
  state: unknown;
}

/** One analysed GOP. */
export interface AnalysisStep {
  cameraId: string;
  /** The checkpoint this step started from; null for a camera that was never analysed. */
  from: LogPosition | null;
  to: AnalysisCheckpoint;
  events: readonly VisitEvent[];
}

/** A GOP that was not analysed. */
export interface PassedStep {
  cameraId: string;
  from: LogPosition;
  to: { position: LogPosition; analysedTo: number };
}

export interface RecordRules {
  platforms: RecordContext['platforms'];
  lotOfBerth(berthId: string): string;
  totalBerths(lotCode: string): number;
  feeFen(visit: Visit): number;
}

/**
 * Writes what one analysed GOP changed — state, visits, evidence jobs, outbox rows, position — in one transaction (DESIGN.md,
 * "One picture's way"). The position is checked against the step's start, so that two analysers of one camera can never both
 * write: the second gets a conflict and must read the checkpoint anew.
 */
export class AnalysisStore {
  readonly #database: Database;
  readonly #rules: RecordRules;

  constructor(database: Database, rules: RecordRules) {
    this.#database = database;
    this.#rules = rules;
  }

  async checkpoint(cameraId: string): Promise<AnalysisCheckpoint | null> {
    const { rows } = await this.#database.query<{ segment: number; gop: number; analysed_to: number; state: unknown }>('SELECT segment, gop, analysed_to, state FROM analysis WHERE camera_id = $1', [cameraId]);
    const row = rows[0];
    return row ? { position: { segment: row.segment, gop: row.gop }, analysedTo: row.analysed_to, state: row.state } : null;
  }

  /** @throws BerthwatchError conflict when the camera's checkpoint is not `step.from`. */
  async write(step: AnalysisStep, now: number): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await this.#advance(tx, step, now);
      for (const event of step.events) await applyEvent(tx, event, this.#rules, now);
    });
  }

  /** Moves a camera's position and leaves its state alone. @throws BerthwatchError conflict when the camera's checkpoint is not `step.from` */
  async pass({ cameraId, from, to }: PassedStep, now: number): Promise<void> {
    const { rowCount } = await this.#database.query('UPDATE analysis SET segment = $2, gop = $3, analysed_to = $4, updated_at = $5 WHERE camera_id = $1 AND segment = $6 AND gop = $7', [
      cameraId,
      to.position.segment,
      to.position.gop,
      to.analysedTo,
      now,
      from.segment,
      from.gop,
    ]);
    if (rowCount === 0) throw movedOn(cameraId, from);
  }

  async #advance(tx: Queryable, step: AnalysisStep, now: number): Promise<void> {
    const values = [step.cameraId, step.to.position.segment, step.to.position.gop, step.to.analysedTo, JSON.stringify(step.to.state), now];
    const { rowCount } =
      step.from === null
        ? await tx.query(`INSERT INTO analysis (camera_id, segment, gop, analysed_to, state, updated_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1`, values)
        : await tx.query(
            `UPDATE analysis SET segment = $2, gop = $3, analysed_to = $4, state = $5, updated_at = $6 WHERE camera_id = $1 AND segment = $7 AND gop = $8 RETURNING 1`,
            [...values, step.from.segment, step.from.gop],
          );
    if (rowCount === 0) {
      throw movedOn(step.cameraId, step.from);
    }
  }
}

/** Writes what an event changes: its visit, an evidence job, and outbox rows for each platform. Part of the caller's transaction. */
export async function applyEvent(tx: Queryable, event: VisitEvent, rules: RecordRules, now: number): Promise<void> {
  const { visit } = event;
  const lotCode = rules.lotOfBerth(visit.berthId);
  const fee = event.type === 'left' ? rules.feeFen(visit) : 0;
  const revision = await writeVisit(tx, event, lotCode, fee);
  const jobId = `${visit.uid}/${event.type === 'corrected' ? `correction-${revision}` : event.type === 'left' ? 'leave' : 'enter'}`;
  await tx.query(`INSERT INTO evidence_job (id, visit_uid, camera_id, event, next_attempt_at, created_at) VALUES ($1, $2, $3, $4, $5, $5)`, [jobId, visit.uid, visit.cameraId, JSON.stringify(event), now]);
  const counts = await readCounts(tx, lotCode, rules);
  await enqueue(tx, messagesOf(event, { lotCode, counts, revision, feeFen: fee, platforms: rules.platforms }));
}

/** @returns the number of corrections of the visit, this event included. */
async function writeVisit(tx: Queryable, event: VisitEvent, lotCode: string, fee: number): Promise<number> {
  const { visit } = event;
  const text = visit.plate.status === 'read' ? visit.plate.text : null;
  if (event.type === 'entered') {
    await tx.query(
      `INSERT INTO visit (uid, camera_id, berth_id, lot_code, entered_at, plate_status, plate_text, doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [visit.uid, visit.cameraId, visit.berthId, lotCode, visit.enteredAt, visit.plate.status, text, JSON.stringify(visit)],
    );
    return 0;
  }
  const { rows } = await tx.query<{ revision: number }>(
    `UPDATE visit SET left_at = $2, plate_status = $3, plate_text = $4, doc = $5, revision = revision + $6, fee_fen = $7 WHERE uid = $1 AND left_at IS NULL RETURNING revision`,
    [visit.uid, visit.leftAt, visit.plate.status, text, JSON.stringify(visit), event.type === 'corrected' ? 1 : 0, event.type === 'left' ? fee : null],
  );
  const row = rows[0];
  if (!row) throw new BerthwatchError('internal', 'VISIT_MISSING', `${event.type} of visit ${visit.uid}, which is not open in the catalogue`);
  return row.revision;
}

async function readCounts(tx: Queryable, lotCode: string, rules: RecordRules): Promise<{ totalBerths: number; freeBerths: number }> {
  const { rows } = await tx.query<{ open: number }>('SELECT count(*)::int4 AS open FROM visit WHERE lot_code = $1 AND left_at IS NULL', [lotCode]);
  const totalBerths = rules.totalBerths(lotCode);
  return { totalBerths, freeBerths: Math.max(0, totalBerths - (rows[0]?.open ?? 0)) };
}

function movedOn(cameraId: string, from: LogPosition | null): BerthwatchError {
  return new BerthwatchError('conflict', 'ANALYSIS_POSITION', `camera ${cameraId} was analysed by somebody else beyond ${JSON.stringify(from)}`);
}
