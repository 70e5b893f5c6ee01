import type { Visit } from '../../parking/model/visit.js';
import type { Queryable } from '../../storage/catalogue/queryable.js';

export interface PictureRow {
  id: string;
  kind: string;
  role: string;
  takenAt: number;
  bytes: number;
  width: number;
  height: number;
  sha256: string;
}

export interface DeliveryRow {
  platform: string;
  key: string;
  kind: string;
  state: string;
  attempts: number;
  deliveredAt: number | null;
  lastOutcome: string | null;
}

/** A visit with all that was made of it. */
export interface VisitRecord {
  visit: Visit;
  lotCode: string;
  revision: number;
  feeFen: number | null;
  pictures: PictureRow[];
  deliveries: DeliveryRow[];
}

export interface VisitQuery {
  limit: number;
  before: number | null;
  berthId: string | null;
  cameraId: string | null;
  uid: string | null;
}

/** Visits that match, newest first. */
export async function readVisits(database: Queryable, query: VisitQuery): Promise<VisitRecord[]> {
  const { rows } = await database.query<{ doc: Visit; lot_code: string; revision: number; fee_fen: number | null; pictures: PictureRow[]; deliveries: DeliveryRow[] }>(
    `SELECT v.doc, v.lot_code, v.revision, v.fee_fen,
       coalesce((SELECT json_agg(json_build_object('id', e.picture_id, 'kind', e.kind, 'role', e.role, 'takenAt', e.taken_at, 'bytes', e.bytes,
                   'width', e.width, 'height', e.height, 'sha256', e.sha256) ORDER BY e.taken_at, e.picture_id)
                 FROM evidence e WHERE e.visit_uid = v.uid), '[]') AS pictures,
       coalesce((SELECT json_agg(json_build_object('platform', o.platform, 'key', o.message_key, 'kind', o.kind, 'state', o.state, 'attempts', o.attempts,
                   'deliveredAt', o.delivered_at, 'lastOutcome', o.last_outcome) ORDER BY o.id)
                 FROM outbox o WHERE o.visit_uid = v.uid), '[]') AS deliveries
     FROM visit v
     WHERE ($2::int8 IS NULL OR v.entered_at < $2) AND ($3::text IS NULL OR v.berth_id = $3) AND ($4::text IS NULL OR v.camera_id = $4) AND ($5::text IS NULL OR v.uid = $5)
     ORDER BY v.entered_at DESC, v.uid LIMIT $1`,
    [query.limit, query.before, query.berthId, query.cameraId, query.uid],
  );
  return rows.map((row) => ({ visit: row.doc, lotCode: row.lot_code, revision: row.revision, feeFen: row.fee_fen, pictures: row.pictures, deliveries: row.deliveries }));
}

/** Figures of the whole catalogue. */
export async function readCounts(database: Queryable): Promise<{ visits: number; openVisits: number; pictures: number; pendingEvidence: number }> {
  const { rows } = await database.query<{ visits: number; open: number; pictures: number; pending: number }>(
    `SELECT (SELECT count(*)::int4 FROM visit) AS visits, (SELECT count(*)::int4 FROM visit WHERE left_at IS NULL) AS open,
            (SELECT count(*)::int4 FROM evidence) AS pictures, (SELECT count(*)::int4 FROM evidence_job WHERE state = 'pending') AS pending`,
  );
  const row = rows[0];
  return { visits: row?.visits ?? 0, openVisits: row?.open ?? 0, pictures: row?.pictures ?? 0, pendingEvidence: row?.pending ?? 0 };
}

/** What a lot's heartbeat tells of the Beijing day that begins at `midnight` (A.4.1.5: by enter, leave and picture time). */
export async function readDayCounts(database: Queryable, lotCode: string, midnight: number): Promise<{ entered: number; left: number; photos: number }> {
  const { rows } = await database.query<{ entered: number; left: number; photos: number }>(
    `SELECT (SELECT count(*)::int4 FROM visit WHERE lot_code = $1 AND entered_at >= $2 AND entered_at < $3) AS entered,
            (SELECT count(*)::int4 FROM visit WHERE lot_code = $1 AND left_at >= $2 AND left_at < $3) AS "left",
            (SELECT count(*)::int4 FROM evidence e JOIN visit v ON v.uid = e.visit_uid WHERE v.lot_code = $1 AND e.taken_at >= $2 AND e.taken_at < $3) AS photos`,
    [lotCode, midnight, midnight + 86_400_000],
  );
  return rows[0] ?? { entered: 0, left: 0, photos: 0 };
}
