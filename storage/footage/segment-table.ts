import type { Codec } from '../../ingest/access-unit.js';
import type { Queryable } from '../catalogue/queryable.js';
import { decodeGopIndex, encodeGopIndex } from './gop-index.js';
import { segmentInfo, type Gap, type IndexedSegment, type Overlap, type SealedSegment, type SegmentInfo } from './segment.js';

/** No segment is longer: the bound that lets an index find those that reach into a time range. */
export const MAX_SEGMENT_MS = 600_000;

interface SegmentRow {
  camera_id: string;
  segment: number;
  state: 'sealed' | 'lost';
  started_at: number;
  ended_at: number;
  codec: Codec;
  width: number;
  height: number;
  gops: number;
  units: number;
  bytes: number;
  sha256: Buffer;
  gop_index: Buffer;
  recovered: boolean;
}

const INDEX_COLUMNS = 'camera_id, segment, codec, width, height, started_at, gop_index';

function indexed(row: SegmentRow): IndexedSegment {
  const { codec, width, height } = row;
  return { cameraId: row.camera_id, segment: row.segment, codec, width, height, gops: decodeGopIndex(row.gop_index, row.started_at), gapBefore: null };
}

/** Makes segments known to the catalogue; those that are already are left as they are. */
export async function insertSegments(tx: Queryable, log: string, segments: readonly SealedSegment[]): Promise<void> {
  for (const sealed of segments) {
    const info = segmentInfo(sealed, 'sealed', { bytes: sealed.bytes, sha256: null, recovered: sealed.recovered });
    await tx.query(
      `INSERT INTO footage_camera (camera_id, last_segment) VALUES ($1, $2)
       ON CONFLICT (camera_id) DO UPDATE SET last_segment = greatest(footage_camera.last_segment, excluded.last_segment)`,
      [info.cameraId, info.segment],
    );
    await tx.query(
      `INSERT INTO footage_segment (camera_id, segment, log_id, state, started_at, ended_at, codec, width, height, gops, units, bytes, sha256, gop_index, recovered)
       VALUES ($1, $2, $3, 'sealed', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
      [info.cameraId, info.segment, log, info.startedAt, info.endedAt, info.codec, info.width, info.height, info.gops, info.units, info.bytes, sealed.sha256, encodeGopIndex(sealed.gops), info.recovered],
    );
    if (sealed.gapBefore) {
      const { from, to, reason } = sealed.gapBefore;
      await tx.query('INSERT INTO footage_gap (camera_id, from_at, to_at, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [info.cameraId, from, to, reason]);
    }
    if (sealed.overlapBefore) {
      const { from, to, reason } = sealed.overlapBefore;
      await tx.query('INSERT INTO footage_overlap (camera_id, segment, from_at, to_at, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING', [info.cameraId, info.segment, from, to, reason]);
    }
  }
}

export interface CameraRow {
  cameraId: string;
  lastSegment: number;
  /** capturedAt of the last unit of its newest segment; null where there is none any more. */
  lastEndedAt: number | null;
}

/** Where each camera's log ends, as far as the catalogue knows. */
export async function readCameras(database: Queryable): Promise<CameraRow[]> {
  const { rows } = await database.query<{ camera_id: string; last_segment: number; ended_at: number | null }>(
    `SELECT camera_id, last_segment, ended_at FROM footage_camera
     LEFT JOIN LATERAL (SELECT ended_at FROM footage_segment s WHERE s.camera_id = footage_camera.camera_id ORDER BY segment DESC LIMIT 1) newest ON true`,
  );
  return rows.map((row) => ({ cameraId: row.camera_id, lastSegment: row.last_segment, lastEndedAt: row.ended_at }));
}

export interface SegmentStates {
  state: 'sealed' | 'lost';
  place: 'local' | 'both' | 'archive';
  /** Of this log, and not of another one of the same catalogue. */
  ours: boolean;
  segments: number[];
}

/** All segments of a camera by what the catalogue says of them. In few rows: a start looks at millions. */
export async function readSegmentStates(database: Queryable, cameraId: string, log: string): Promise<SegmentStates[]> {
  const { rows } = await database.query<Omit<SegmentStates, 'segments'> & { segments: string }>(
    `SELECT state, place, log_id = $2 AS ours, string_agg(segment::text, ' ' ORDER BY started_at) AS segments FROM footage_segment WHERE camera_id = $1 GROUP BY 1, 2, 3`,
    [cameraId, log],
  );
  return rows.map(({ segments, ...row }) => ({ ...row, segments: segments.split(' ').map(Number) }));
}

/** Up to two segments with footage from `after.segment` on and below `before`: the first may have nothing behind `after`. */
export async function nextSegments(database: Queryable, cameraId: string, from: number, before: number): Promise<IndexedSegment[]> {
  const { rows } = await database.query<SegmentRow>(
    `SELECT ${INDEX_COLUMNS} FROM footage_segment WHERE camera_id = $1 AND segment >= $2 AND segment < $3 AND state = 'sealed' ORDER BY segment LIMIT 2`,
    [cameraId, from, Math.min(before, 0x7fffffff)],
  );
  return rows.map(indexed);
}

/** Up to two segments with footage up to `to`, newest first. */
export async function previousSegments(database: Queryable, cameraId: string, to: number): Promise<IndexedSegment[]> {
  const { rows } = await database.query<SegmentRow>(
    `SELECT ${INDEX_COLUMNS} FROM footage_segment WHERE camera_id = $1 AND segment <= $2 AND state = 'sealed' ORDER BY segment DESC LIMIT 2`,
    [cameraId, Math.min(to, 0x7fffffff)],
  );
  return rows.map(indexed);
}

const REACHES = 'camera_id = $1 AND started_at > $2::int8 - $4 AND started_at <= $3 AND ended_at >= $2';

/** Segments with footage that reach into [from, to], by number. */
export async function segmentsBetween(database: Queryable, cameraId: string, from: number, to: number): Promise<IndexedSegment[]> {
  const { rows } = await database.query<SegmentRow>(`SELECT ${INDEX_COLUMNS} FROM footage_segment WHERE ${REACHES} AND state = 'sealed' ORDER BY segment`, [cameraId, Math.ceil(from), Math.floor(to), MAX_SEGMENT_MS]);
  return rows.map(indexed);
}

/** The same for people, without GOPs, the lost ones included. */
export async function segmentInfosBetween(database: Queryable, cameraId: string, from: number, to: number): Promise<SegmentInfo[]> {
  const { rows } = await database.query<Omit<SegmentRow, 'camera_id' | 'sha256' | 'gop_index'> & { sha256_hex: string }>(
    `SELECT segment, state, started_at, ended_at, codec, width, height, gops, units, bytes, encode(sha256, 'hex') AS sha256_hex, recovered
     FROM footage_segment WHERE ${REACHES} ORDER BY segment`,
    [cameraId, Math.ceil(from), Math.floor(to), MAX_SEGMENT_MS],
  );
  return rows.map((row) => ({
    cameraId,
    segment: row.segment,
    state: row.state,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    codec: row.codec,
    width: row.width,
    height: row.height,
    gops: row.gops,
    units: row.units,
    bytes: row.bytes,
    sha256: row.sha256_hex,
    recovered: row.recovered,
  }));
}

/**
 * The segments that may show the moment `at`: those that began at or before it and end at most `slackMs` before it, newest first. After a
 * clock was set back there may be more than one, and the last one begun need not be the one that reaches to the moment.
 */
export async function segmentsAt(database: Queryable, cameraId: string, at: number, slackMs: number): Promise<IndexedSegment[]> {
  const { rows } = await database.query<SegmentRow>(
    `SELECT ${INDEX_COLUMNS} FROM footage_segment WHERE camera_id = $1 AND started_at <= $2 AND started_at > $2::int8 - $3 - $4 AND ended_at >= $2::int8 - $4 AND state = 'sealed' ORDER BY started_at DESC, segment DESC LIMIT 4`,
    [cameraId, Math.floor(at), MAX_SEGMENT_MS, slackMs],
  );
  return rows.map(indexed);
}

/** Times held twice that reach into [from, to], by segment. */
export async function overlapsBetween(database: Queryable, cameraId: string, from: number, to: number): Promise<Overlap[]> {
  const { rows } = await database.query<{ segment: number; from_at: number; to_at: number; reason: string }>(
    'SELECT segment, from_at, to_at, reason FROM footage_overlap WHERE camera_id = $1 AND from_at <= $3 AND to_at >= $2 ORDER BY segment',
    [cameraId, Math.ceil(from), Math.floor(to)],
  );
  return rows.map((row) => ({ segment: row.segment, from: row.from_at, to: row.to_at, reason: row.reason }));
}

/** capturedAt of the newest footage of a camera that lies in the catalogue; null where there is none. */
export async function newestEnd(database: Queryable, cameraId: string): Promise<number | null> {
  const { rows } = await database.query<{ ended_at: number }>('SELECT ended_at FROM footage_segment WHERE camera_id = $1 ORDER BY segment DESC LIMIT 1', [cameraId]);
  return rows[0]?.ended_at ?? null;
}

/** Gaps that reach into [from, to], by time. */
export async function gapsBetween(database: Queryable, cameraId: string, from: number, to: number): Promise<Gap[]> {
  const { rows } = await database.query<{ from_at: number; to_at: number; reason: string }>(
    'SELECT from_at, to_at, reason FROM footage_gap WHERE camera_id = $1 AND from_at <= $3 AND to_at >= $2 ORDER BY from_at',
    [cameraId, Math.ceil(from), Math.floor(to)],
  );
  return rows.map((row) => ({ from: row.from_at, to: row.to_at, reason: row.reason }));
}

