import { BerthwatchError } from '../../base/errors.js';
import type { Clock } from '../../base/clock.js';
import type { Queryable } from '../../storage/catalogue/queryable.js';
import type { FootageHold, HeldFootage, HoldTable } from '../../storage/footage/holds.js';

/** Before a vehicle came and after it left: how it stood between the others shows there. */
const BEFORE_MS = 600_000;
const AFTER_MS = 600_000;

export interface HoldRequest {
  /** Either a visit, or a camera with a range. */
  visitUid?: string | undefined;
  cameraId?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
  reason: string;
  heldBy: string;
  until?: number | undefined;
}

interface VisitRow {
  uid: string;
  camera_id: string;
  entered_at: number;
  left_at: number | null;
}

/** Holds on footage as people ask for them: by visit, or by camera and time. */
export class VisitHolds {
  readonly #database: Queryable;
  readonly #holds: HoldTable;
  readonly #clock: Clock;
  readonly #knowsCamera: (cameraId: string) => Promise<boolean>;

  constructor(options: { database: Queryable; holds: HoldTable; clock: Clock; knowsCamera: (cameraId: string) => Promise<boolean> }) {
    this.#database = options.database;
    this.#holds = options.holds;
    this.#clock = options.clock;
    this.#knowsCamera = options.knowsCamera;
  }

  /** @throws BerthwatchError bad-input (neither or both, an empty range), not-found (no such visit or camera) */
  async add(request: HoldRequest): Promise<FootageHold & { covers: HeldFootage }> {
    const { reason, heldBy, until = null } = request;
    const hold = await this.#holds.add({ ...(await this.#range(request)), reason, heldBy, until }, this.#clock.now());
    return { ...hold, covers: await this.#holds.covers(hold) };
  }

  async #range({ visitUid, cameraId, from, to }: HoldRequest): Promise<Pick<FootageHold, 'cameraId' | 'from' | 'to' | 'visitUid'>> {
    if ((visitUid === undefined) === (cameraId === undefined)) throw new BerthwatchError('bad-input', 'HOLD_WHAT', 'a hold is for a visit (visitUid), or for a camera (cameraId with from and to)');
    if (visitUid !== undefined) {
      if (from !== undefined || to !== undefined) throw new BerthwatchError('bad-input', 'HOLD_WHAT', 'a hold for a visit takes its times from the visit: leave out from and to');
      const { rows } = await this.#database.query<VisitRow>('SELECT uid, camera_id, entered_at, left_at FROM visit WHERE uid = $1', [visitUid]);
      const visit = rows[0];
      if (!visit) throw new BerthwatchError('not-found', 'HOLD_VISIT', `there is no visit ${visitUid}`);
      return { visitUid, cameraId: visit.camera_id, ...reach(visit) };
    }
    if (from === undefined || to === undefined) throw new BerthwatchError('bad-input', 'HOLD_RANGE', 'a hold for a camera needs from and to (Unix ms)');
    if (!(await this.#knowsCamera(cameraId as string))) throw new BerthwatchError('not-found', 'HOLD_CAMERA', `there is no camera ${cameraId}, and no footage of one`);
    return { visitUid: null, cameraId: cameraId as string, from, to };
  }

  /** Lets the holds of visits reach as far as the visits do now: a visit may have ended, or been corrected. */
  async refresh(): Promise<void> {
    const { rows } = await this.#database.query<VisitRow>(
      `SELECT v.uid, v.camera_id, v.entered_at, v.left_at FROM visit v WHERE EXISTS (
         SELECT 1 FROM footage_hold h WHERE h.visit_uid = v.uid AND h.released_at IS NULL
           AND (h.from_at > v.entered_at - $1::int8 OR (v.left_at IS NOT NULL AND coalesce(h.to_at, 0) < v.left_at + $2::int8)))`,
      [BEFORE_MS, AFTER_MS],
    );
    for (const visit of rows) {
      const { from, to } = reach(visit);
      await this.#holds.widen(visit.uid, from, to);
    }
  }
}

function reach(visit: VisitRow): { from: number; to: number | null } {
  return { from: visit.entered_at - BEFORE_MS, to: visit.left_at === null ? null : visit.left_at + AFTER_MS };
}
