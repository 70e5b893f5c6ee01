import { stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import type { Disk } from '../footage/disk.js';
import type { LogFolder } from '../footage/log-folder.js';
import { segmentsBeingRemoved } from '../footage/removal.js';
import type { ObjectStore } from '../objects/object-store.js';
import { cameraPrefix, encodeCamera, FOOTAGE_PREFIX, readSegmentKey, segmentKey } from './archive-key.js';
import { knownUploads } from './archive-table.js';
import { checkSegment, readRow, readRows, type CheckedRow, type RowFilter } from './check-segment.js';
import { finding, type Finding } from './finding.js';
import { keepFindings } from './finding-table.js';
import { repair, type RepairContext } from './repair.js';

export interface VerifyContext {
  database: Database;
  disk: Disk;
  folder: LogFolder;
  log: string;
  /** Null: nothing is archived. */
  store: ObjectStore | null;
  clock: Clock;
  windowMs: number | null;
  strayAgeMs?: number;
}

export interface VerifyOptions extends RowFilter {
  /** Reads every byte, of files and objects. */
  deep: boolean;
  /** Repairs what is safe to repair. */
  repair: boolean;
}

export interface VerifyProgress {
  /** Segments looked at, and all that will be. */
  segments: number;
  of: number;
  bytesRead: number;
}

export interface VerifyReport extends VerifyProgress {
  findings: number;
  repaired: number;
}

const PAGE = 200;
/** More strays than these, and than a tenth of a camera's segments, are not garbage; nor is all there is of a camera. */
const FEW_STRAYS = 100;
const STRAY_AGE_MS = 24 * 3_600_000;
/** A file is written until it is sealed, and sealed before it is registered. */
const UNREGISTERED_AGE_MS = 3_600_000;

/**
 * Compares catalogue, disk and archive: every row with its file and object, every file and object with its row, uploads that were never
 * ended. Without `deep` it compares names and sizes; with it, every byte.
 *
 * It may run beside the service: what looks wrong is looked at once more, with the row as it is then, before it is told.
 *
 * @param told called with each finding, after its repair
 * @throws BerthwatchError where disk, store or database do not work (any more)
 */
export async function verifyStorage(context: VerifyContext, options: VerifyOptions, told: (finding: Finding) => void, progress: (progress: VerifyProgress) => void): Promise<VerifyReport> {
  const { database, folder, log, store } = context;
  await folder.check(log);
  await store?.check();
  const repairs: RepairContext = { ...context, strayAgeMs: context.strayAgeMs ?? STRAY_AGE_MS };
  const report: VerifyReport = { segments: 0, of: await countRows(database, log, options), bytesRead: 0, findings: 0, repaired: 0 };
  const tell = async (found: Finding, repairable = true): Promise<Finding> => {
    if (options.repair && repairable && found.repaired === null) {
      try {
        found.repaired = await repair(repairs, found);
      } catch (error) {
        if (!(error instanceof BerthwatchError)) throw error;
        found.advice = `it cannot be repaired now: ${messageOf(error)}`;
      }
    }
    report.findings++;
    if (found.repaired !== null) report.repaired++;
    told(found);
    return found;
  };
  progress(report);
  const everyCamera = options.cameraId === null ? await cameras(context) : [options.cameraId];
  for (const cameraId of everyCamera) {
    const listed = store ? await listCamera(store, cameraId) : null;
    for (let after = 0; ; ) {
      const rows = await readRows(database, log, { ...options, cameraId }, { cameraId, segment: after }, PAGE);
      for (const row of rows) {
        const findings = await twice(context, row, { deep: options.deep, listed, read: (bytes) => (report.bytesRead += bytes) });
        for (const found of findings) await tell(found);
        await keepFindings(database, row, findings.filter((found) => found.repaired === null), context.clock.now(), options.deep);
        report.segments++;
        progress(report);
      }
      const last = rows.at(-1);
      if (!last) break;
      after = last.segment;
    }
    // Part of the time says nothing of what is unknown.
    if (options.from > 0 || options.to < Number.MAX_SAFE_INTEGER) continue;
    for (const stray of await strayFiles(context, cameraId)) await tell(stray);
    const strays = store && listed ? await strayObjects(repairs, store, cameraId, listed.keys()) : [];
    for (const stray of strays) await tell(stray, !stray.advice?.includes('nothing is moved'));
  }
  if (store && options.cameraId === null) {
    for (const stray of await strayCameras(store, everyCamera, repairs)) await tell(stray, false);
    for (const stale of await staleUploads(repairs, store, options.repair)) await tell(stale);
  }
  return report;
}

async function twice(context: VerifyContext, row: CheckedRow, depth: Parameters<typeof checkSegment>[2]): Promise<Finding[]> {
  const first = await checkSegment(context, row, depth);
  if (first.length === 0) return [];
  const now = await readRow(context.database, row.cameraId, row.segment);
  return now === null ? [] : checkSegment(context, now, { ...depth, listed: null, read: () => undefined });
}

async function countRows(database: Database, log: string, filter: RowFilter): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    `SELECT count(*)::int8 AS count FROM footage_segment WHERE log_id = $1 AND ($2::text IS NULL OR camera_id = $2) AND ended_at >= $3 AND started_at <= $4`,
    [log, filter.cameraId, filter.from, filter.to],
  );
  return rows[0]?.count ?? 0;
}

async function cameras({ database, folder, log }: VerifyContext): Promise<string[]> {
  const { rows } = await database.query<{ camera_id: string }>('SELECT camera_id FROM footage_segment WHERE log_id = $1 UNION SELECT camera_id FROM footage_removal WHERE log_id = $1', [log]);
  return [...new Set([...rows.map((row) => row.camera_id), ...(await folder.cameras())])].sort();
}

/** Sizes by key. */
async function listCamera(store: ObjectStore, cameraId: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (let after: string | null = ''; after !== null; ) {
    const page = await store.list(cameraPrefix(cameraId), { after });
    for (const object of page.objects) found.set(object.key, object.size);
    after = page.next;
  }
  return found;
}

async function strayFiles({ database, folder, clock }: VerifyContext, cameraId: string): Promise<Finding[]> {
  const strays: Finding[] = [];
  const { rows } = await database.query<{ segment: number }>('SELECT segment FROM footage_segment WHERE camera_id = $1', [cameraId]);
  const known = new Set([...rows, ...(await segmentsBeingRemoved(database, cameraId))].map((row) => row.segment));
  for (const segment of await folder.segments(cameraId)) {
    if (known.has(segment)) continue;
    const where = folder.segmentPath(cameraId, segment);
    const age = clock.now() - (await stat(where).then((s) => s.mtimeMs, () => clock.now()));
    if (age < UNREGISTERED_AGE_MS || (await readRow(database, cameraId, segment))) continue;
    strays.push(finding({ kind: 'stray-file', cameraId, segment, where, advice: 'the next start of the service takes it in' }));
  }
  return strays;
}

async function strayObjects({ database, clock, strayAgeMs }: RepairContext, store: ObjectStore, cameraId: string, keys: Iterable<string>): Promise<Finding[]> {
  const strays: Finding[] = [];
  const { rows } = await database.query<{ segment: number; started_at: number }>('SELECT segment, started_at FROM footage_segment WHERE camera_id = $1', [cameraId]);
  const known = new Set([...rows.map((row) => ({ segment: row.segment, startedAt: row.started_at })), ...(await segmentsBeingRemoved(database, cameraId))].map((name) => segmentKey({ cameraId, ...name })));
  for (const key of keys) {
    if (known.has(key)) continue;
    const info = await store.head(key).catch((error: unknown) => {
      if (error instanceof BerthwatchError && error.kind === 'bad-input') return { storedAt: 0 };
      throw error;
    });
    if (info === null || clock.now() - info.storedAt < strayAgeMs) continue;
    const segment = readSegmentKey(key)?.segment ?? null;
    // Registered or uploaded since the rows were read.
    const row = segment === null ? null : await readRow(database, cameraId, segment);
    if (row && segmentKey(row) === key) continue;
    strays.push(finding({ kind: 'stray-object', cameraId, segment, where: key, advice: '--repair moves it to quarantine/; if the catalogue was lost, "berthwatch storage restore" takes it in' }));
  }
  const many = rows.length === 0 || strays.length > Math.max(FEW_STRAYS, rows.length / 10);
  if (many) for (const stray of strays) stray.advice = `${strays.length} of them: this looks like a catalogue that was lost or set back, so nothing is moved; "berthwatch storage restore" takes them in`;
  return strays;
}

/** Folders of cameras that neither catalogue nor disk know, one finding a camera. */
async function strayCameras(store: ObjectStore, known: readonly string[], { clock, strayAgeMs }: RepairContext): Promise<Finding[]> {
  const folders = new Set(known.map(encodeCamera));
  const strays: Finding[] = [];
  for (let after = ''; ; ) {
    const { objects } = await store.list(FOOTAGE_PREFIX, { after, limit: 1 });
    const [object] = objects;
    if (!object) return strays;
    const folder = object.key.split('/')[1] ?? '';
    if (!folders.has(folder) && clock.now() - object.storedAt >= strayAgeMs) {
      const { objects: first, next } = await store.list(`${FOOTAGE_PREFIX}${folder}/`);
      strays.push(finding({ kind: 'stray-object', where: `${FOOTAGE_PREFIX}${folder}/`, actual: `${next === null ? '' : 'more than '}${first.length} objects`, advice: 'of a camera that the catalogue does not know; if the catalogue was lost, "berthwatch storage restore" takes them in', repaired: null }));
    }
    // Behind every key of this folder.
    after = `${FOOTAGE_PREFIX}${folder}/~`;
  }
}

async function staleUploads({ database, clock, strayAgeMs }: RepairContext, store: ObjectStore, repairing: boolean): Promise<Finding[]> {
  const known = await knownUploads(database);
  const stale = (await store.pendingUploads(FOOTAGE_PREFIX)).filter((upload) => !known.has(upload.uploadId) && clock.now() - upload.begunAt >= strayAgeMs);
  const findings: Finding[] = [];
  for (const upload of stale) {
    if (repairing) await store.abortUpload(upload.key, upload.uploadId);
    findings.push(finding({ kind: 'stale-upload', where: upload.key, actual: `begun ${new Date(upload.begunAt).toISOString()}`, repaired: repairing ? 'given up' : null, advice: 'the service gives it up by itself after a day' }));
  }
  return findings;
}
