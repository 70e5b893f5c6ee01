import { createHash } from 'node:crypto';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import type { IndexedGop } from '../footage/gop-index.js';
import { gapBetween, overlapBetween, type SealedSegment } from '../footage/segment.js';
import { segmentsBeingRemoved } from '../footage/removal.js';
import { SegmentScanner } from '../footage/segment-scanner.js';
import { insertSegments } from '../footage/segment-table.js';
import type { ObjectStore } from '../objects/object-store.js';
import { encodeCamera, FOOTAGE_PREFIX, readSegmentKey, segmentKey } from './archive-key.js';
import { readRow } from './check-segment.js';

export interface RestoreReport {
  /** Objects that were looked at. */
  objects: number;
  /** Segments that the catalogue has now and had not. */
  restored: number;
  bytesRead: number;
  /** Objects that are no whole segment under their own key. */
  refused: { key: string; reason: string }[];
}

/**
 * Takes archived segments that the catalogue does not know into it, from the objects alone: every segment says in its header which camera
 * and segment it is. For a catalogue that was lost, or set back to an older backup. What the catalogue knows is not read.
 *
 * @throws BerthwatchError where store or database do not work now: run it again, it goes on where it was
 */
export async function restoreFromArchive(context: { database: Database; store: ObjectStore; log: string; gapMs: number }, progress: (report: RestoreReport) => void): Promise<RestoreReport> {
  const { database, store, log, gapMs } = context;
  const report: RestoreReport = { objects: 0, restored: 0, bytesRead: 0, refused: [] };
  const { rows: cameras } = await database.query<{ camera_id: string }>('SELECT camera_id FROM footage_camera');
  const cameraOf = new Map(cameras.map((row) => [encodeCamera(row.camera_id), row.camera_id]));
  for (let after: string | null = ''; after !== null; ) {
    const page = await store.list(FOOTAGE_PREFIX, { after });
    for (const { key } of page.objects) {
      report.objects++;
      try {
        const sealed = await readSealed(database, store, cameraOf, key, gapMs, (bytes) => (report.bytesRead += bytes));
        if (sealed) {
          await database.transaction(async (tx) => {
            await insertSegments(tx, log, [sealed]);
            await tx.query(`UPDATE footage_segment SET place = 'archive' WHERE camera_id = $1 AND segment = $2 AND log_id = $3 AND place = 'local'`, [sealed.cameraId, sealed.segment, log]);
          });
          report.restored++;
        }
      } catch (error) {
        if (!(error instanceof BerthwatchError) || error.kind !== 'bad-input') throw error;
        report.refused.push({ key, reason: messageOf(error) });
      }
      progress(report);
    }
    after = page.next;
  }
  return report;
}

/** Null where the catalogue has it already. @throws BerthwatchError bad-input where the object is none of ours */
async function readSealed(database: Database, store: ObjectStore, cameraOf: ReadonlyMap<string, string>, key: string, gapMs: number, read: (bytes: number) => void): Promise<SealedSegment | null> {
  const name = readSegmentKey(key);
  const refuse = (why: string): BerthwatchError => new BerthwatchError('bad-input', 'ARCHIVE_RESTORE', why);
  if (!name) throw refuse('its key is not that of a segment');
  const known = cameraOf.get(name.camera);
  const row = known === undefined ? null : await readRow(database, known, name.segment);
  if (row && segmentKey(row) === key) return null;
  // Its object goes as soon as the archive lets it.
  if (known !== undefined && (await segmentsBeingRemoved(database, known)).some(({ segment }) => segment === name.segment)) return null;
  if (row) throw refuse(`the catalogue has another segment ${row.segment} of camera ${row.cameraId}`);
  const scanner = new SegmentScanner();
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of (await store.get(key)).body) {
    scanner.push(Buffer.from(chunk));
    hash.update(chunk);
    bytes += chunk.length;
    read(chunk.length);
  }
  const { header, gops, damage } = scanner.end();
  const first = gops[0] as IndexedGop | undefined;
  if (!header || !first) throw refuse(damage ?? 'it holds no footage');
  if (damage !== null) throw refuse(damage);
  if (segmentKey({ cameraId: header.camera, segment: header.segment, startedAt: first.startedAt }) !== key) throw refuse(`it is segment ${header.segment} of camera ${header.camera}`);
  const { camera: cameraId, segment, codec, width, height } = header;
  return {
    cameraId,
    segment,
    codec,
    width,
    height,
    gops,
    bytes,
    sha256: hash.digest(),
    recovered: true,
    gapBefore: gapBetween(header.previousEndedAt, first.startedAt, header.reason, gapMs),
    overlapBefore: overlapBetween(segment, header.previousEndedAt, first.startedAt, header.reason),
  };
}
