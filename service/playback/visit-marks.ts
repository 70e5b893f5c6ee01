import type { Visit } from '../../parking/model/visit.js';
import type { Queryable } from '../../storage/catalogue/queryable.js';

/** A visit as a timeline shows it. */
export interface VisitMark {
  uid: string;
  berthId: string;
  plate: string | null;
  plateStatus: string;
  plateColour: string | null;
  enteredAt: number;
  leftAt: number | null;
}

const MOST = 2_000;

/** Visits seen by a camera that reach into [from, to], newest first. */
export async function readVisitMarks(database: Queryable, cameraId: string, from: number, to: number): Promise<VisitMark[]> {
  const { rows } = await database.query<{ uid: string; berth_id: string; plate: Visit['plate']; entered_at: number; left_at: number | null }>(
    `SELECT uid, berth_id, doc->'plate' AS plate, entered_at, left_at FROM visit
     WHERE camera_id = $1 AND entered_at <= $3 AND coalesce(left_at, 9223372036854775807) >= $2 ORDER BY entered_at DESC LIMIT ${MOST}`,
    [cameraId, from, to],
  );
  return rows.map(({ uid, berth_id, plate, entered_at, left_at }) => ({
    uid,
    berthId: berth_id,
    plate: plate.status === 'read' ? plate.text : null,
    plateStatus: plate.status,
    plateColour: plate.status === 'read' ? plate.colour : null,
    enteredAt: entered_at,
    leftAt: left_at,
  }));
}
