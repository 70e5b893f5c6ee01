import type { Queryable } from '../catalogue/queryable.js';
import type { Finding } from './finding.js';

/** Whose damage only a deep look finds, and only a deep look can take back. */
const DEEP = ['file-damaged', 'object-damaged', 'object-unreadable'];

/** Makes the catalogue's findings about a segment those of a look at it. */
export async function keepFindings(database: Queryable, segment: { cameraId: string; segment: number }, findings: readonly Finding[], now: number, deep: boolean): Promise<void> {
  await database.query(`DELETE FROM storage_finding WHERE camera_id = $1 AND segment = $2 AND kind <> ALL($3::text[]) AND ($4 OR kind <> ALL($5::text[]))`, [segment.cameraId, segment.segment, findings.map((found) => found.kind), deep, DEEP]);
  for (const found of findings) {
    await database.query('INSERT INTO storage_finding (camera_id, segment, kind, doc, found_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (camera_id, segment, kind) DO UPDATE SET doc = excluded.doc', [segment.cameraId, segment.segment, found.kind, JSON.stringify(found), now]);
  }
}

/** Findings that stand, the newest first, with how many there are; of segments that retention removed none. */
export async function readFindings(database: Queryable, limit: number): Promise<{ count: number; findings: (Finding & { foundAt: number })[] }> {
  await database.query(`DELETE FROM storage_finding f WHERE NOT EXISTS (SELECT 1 FROM footage_segment s WHERE s.camera_id = f.camera_id AND s.segment = f.segment)`);
  const { rows } = await database.query<{ doc: Finding; found_at: number; count: number }>('SELECT doc, found_at, count(*) OVER () AS count FROM storage_finding ORDER BY found_at DESC, camera_id, segment LIMIT $1', [limit]);
  return { count: rows[0]?.count ?? 0, findings: rows.map((row) => ({ ...row.doc, foundAt: row.found_at })) };
}
