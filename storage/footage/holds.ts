import { BerthwatchError } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import type { Queryable } from '../catalogue/queryable.js';

/** Footage that must not be deleted. Times are Unix ms. */
export interface FootageHold {
  id: number;
  cameraId: string;
  from: number;
  /** Null: without an end, as while a visit is not over. */
  to: number | null;
  visitUid: string | null;
  reason: string;
  heldBy: string;
  createdAt: number;
  /** When it ends by itself; null: when somebody releases it. */
  until: number | null;
  releasedAt: number | null;
  releasedBy: string | null;
}

export type NewHold = Pick<FootageHold, 'cameraId' | 'from' | 'to' | 'visitUid' | 'reason' | 'heldBy' | 'until'>;

/** What a hold keeps, and what was gone before it came. */
export interface HeldFootage {
  segments: number;
  bytes: number;
  /** Segments in its time that are being deleted, or whose file is lost. */
  gone: number;
}

interface HoldRow {
  id: number;
  camera_id: string;
  from_at: number;
  to_at: number | null;
  visit_uid: string | null;
  reason: string;
  held_by: string;
  created_at: number;
  until: number | null;
  released_at: number | null;
  released_by: string | null;
}

/** The lock of 0030_retention.sql: a hold waits for deletions that are being marked, and is seen by those after it. */
const LOCK = 0x62_77_68_32;

const hold = (row: HoldRow): FootageHold => ({
  id: row.id,
  cameraId: row.camera_id,
  from: row.from_at,
  to: row.to_at,
  visitUid: row.visit_uid,
  reason: row.reason,
  heldBy: row.held_by,
  createdAt: row.created_at,
  until: row.until,
  releasedAt: row.released_at,
  releasedBy: row.released_by,
});

/** Holds on footage. The catalogue itself refuses to delete what is held (0030_retention.sql), whoever asks. */
export class HoldTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** From its return on, nothing in its time is deleted. @throws BerthwatchError bad-input */
  async add(given: NewHold, now: number): Promise<FootageHold> {
    if (given.to !== null && given.to <= given.from) throw new BerthwatchError('bad-input', 'HOLD_RANGE', 'a hold must end after it begins');
    if (given.until !== null && given.until <= now) throw new BerthwatchError('bad-input', 'HOLD_UNTIL', 'a hold must not have ended already: "until" lies in the past');
    return this.#database.transaction(async (tx) => {
      await lock(tx);
      const { rows } = await tx.query<HoldRow>(
        'INSERT INTO footage_hold (camera_id, from_at, to_at, visit_uid, reason, held_by, created_at, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *',
        [given.cameraId, Math.floor(given.from), given.to === null ? null : Math.ceil(given.to), given.visitUid, given.reason, given.heldBy, now, given.until],
      );
      return hold(rows[0] as HoldRow);
    });
  }

  /** @throws BerthwatchError not-found, conflict (released already) */
  async release(id: number, by: string, now: number): Promise<FootageHold> {
    const { rows } = await this.#database.query<HoldRow>('UPDATE footage_hold SET released_at = $2, released_by = $3 WHERE id = $1 AND released_at IS NULL RETURNING *', [id, now, by]);
    if (rows[0]) return hold(rows[0]);
    const known = await this.#database.query<HoldRow>('SELECT * FROM footage_hold WHERE id = $1', [id]);
    if (!known.rows[0]) throw new BerthwatchError('not-found', 'HOLD_UNKNOWN', `there is no hold ${id}`);
    throw new BerthwatchError('conflict', 'HOLD_RELEASED', `hold ${id} was released already, by ${known.rows[0].released_by ?? 'nobody'}`);
  }

  /** Newest first. */
  async list(filter: { active: boolean; cameraId?: string; visitUid?: string; limit: number }): Promise<FootageHold[]> {
    const { rows } = await this.#database.query<HoldRow>(
      `SELECT * FROM footage_hold WHERE (NOT $1 OR released_at IS NULL) AND ($2::text IS NULL OR camera_id = $2) AND ($3::text IS NULL OR visit_uid = $3) ORDER BY id DESC LIMIT $4`,
      [filter.active, filter.cameraId ?? null, filter.visitUid ?? null, filter.limit],
    );
    return rows.map(hold);
  }

  /** What a hold keeps now. */
  async covers({ cameraId, from, to }: Pick<FootageHold, 'cameraId' | 'from' | 'to'>): Promise<HeldFootage> {
    const { rows } = await this.#database.query<HeldFootage>(
      `WITH own AS (
         SELECT state, bytes, camera_id, started_at, ended_at FROM footage_segment WHERE camera_id = $1 OR camera_id LIKE $4
         UNION ALL
         SELECT 'lost', bytes, camera_id, started_at, ended_at FROM footage_removal WHERE camera_id = $1 OR camera_id LIKE $4
       )
       SELECT count(*) FILTER (WHERE state = 'sealed') AS segments, coalesce(sum(bytes) FILTER (WHERE state = 'sealed'), 0)::int8 AS bytes, count(*) FILTER (WHERE state = 'lost') AS gone
       FROM own WHERE started_at > $2::int8 - 600000 AND ($3::int8 IS NULL OR started_at <= $3) AND ended_at >= $2`,
      [cameraId, Math.floor(from), to === null ? null : Math.ceil(to), `${cameraId.replace(/[\\%_]/g, '\\$&')}~%`],
    );
    return rows[0] as HeldFootage;
  }

  /** Makes a visit's holds reach as far as the visit does now; they never become shorter. */
  async widen(visitUid: string, from: number, to: number | null): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await lock(tx);
      await tx.query('UPDATE footage_hold SET from_at = least(from_at, $2), to_at = CASE WHEN $3::int8 IS NULL THEN to_at ELSE greatest(coalesce(to_at, $3), $3) END WHERE visit_uid = $1 AND released_at IS NULL', [visitUid, Math.floor(from), to === null ? null : Math.ceil(to)]);
    });
  }

  /** Ends the holds whose time is over; returns them. */
  async expire(now: number): Promise<FootageHold[]> {
    const { rows } = await this.#database.query<HoldRow>(`UPDATE footage_hold SET released_at = $1, released_by = 'its own end' WHERE released_at IS NULL AND until <= $1 RETURNING *`, [now]);
    return rows.map(hold);
  }
}

const lock = (tx: Queryable): Promise<unknown> => tx.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
