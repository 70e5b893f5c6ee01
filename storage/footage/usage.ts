import type { Queryable } from '../catalogue/queryable.js';

export const DAY_MS = 86_400_000;

/** Files of a camera on the disk that began on one day. */
export interface UsageDay {
  cameraId: string;
  /** Days since 1970 (UTC). */
  day: number;
  segments: number;
  bytes: number;
}

/** What lies on the disk of a log, by camera and day. */
export async function readUsage(database: Queryable, log: string): Promise<UsageDay[]> {
  const { rows } = await database.query<{ camera_id: string; day: number; segments: number; bytes: number }>('SELECT camera_id, day, segments, bytes FROM footage_usage WHERE log_id = $1 AND segments > 0 ORDER BY camera_id, day', [log]);
  return rows.map((row) => ({ cameraId: row.camera_id, day: row.day, segments: row.segments, bytes: row.bytes }));
}

export interface ForecastInput {
  /** Bytes that may still be written. */
  availableBytes: number;
  /** Unix ms. */
  now: number;
  usage: readonly UsageDay[];
  cameras: readonly { cameraId: string; bytesPerDay: number; retentionMs: number }[];
}

const HORIZON_DAYS = 400;

/**
 * In how many days the disk is full at the present rates, with what retention frees on the way; null where that is more than
 * a year off, or never. Pure.
 */
export function daysUntilFull({ availableBytes, now, usage, cameras }: ForecastInput): number | null {
  if (availableBytes <= 0) return 0;
  const retention = new Map(cameras.map((camera) => [camera.cameraId, camera.retentionMs / DAY_MS]));
  const today = now / DAY_MS;
  const freed = new Map<number, number>();
  for (const { cameraId, day, bytes } of usage) {
    const keep = retention.get(cameraId);
    if (keep === undefined) continue;
    const at = Math.max(0, Math.floor(day + 1 + keep - today));
    freed.set(at, (freed.get(at) ?? 0) + bytes);
  }
  let level = 0;
  for (let day = 0; day < HORIZON_DAYS; day++) {
    // What is recorded from now on goes again as well, once it is old enough.
    const growth = cameras.reduce((sum, camera) => sum + camera.bytesPerDay * Math.min(1, Math.max(0, camera.retentionMs / DAY_MS - day)), 0) - (freed.get(day) ?? 0);
    if (level + growth >= availableBytes) return day + Math.max(0, (availableBytes - level) / growth);
    level += growth;
  }
  return null;
}
