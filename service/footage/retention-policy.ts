import type { RetentionPolicy } from '../../storage/footage/retention-job.js';
import { parseDuration, parseSize } from '../../base/units.js';
import { LEAST_RETENTION_MS, type Config } from '../config/config.js';
import type { Site, SiteCamera } from '../config/site.js';

/** Between a camera's id and the name of a further stream of it in the footage log: cannot occur in a camera's id. */
const STREAM_MARK = '~';

/** The log of a camera's stream that is recorded beside the analysed one. */
export function secondLogId(camera: SiteCamera): string {
  return `${camera.id}${STREAM_MARK}${camera.streams.analyse === 'main' ? 'sub' : 'main'}`;
}

/** The camera whose stream a log holds, and whether it is the further one. */
export function cameraOfLog(logId: string): { cameraId: string; second: boolean } {
  const mark = logId.indexOf(STREAM_MARK);
  return mark < 0 ? { cameraId: logId, second: false } : { cameraId: logId.slice(0, mark), second: true };
}

export interface Policies {
  /** For every id in the footage log, also of cameras that the site no longer has. */
  policy: (logId: string) => RetentionPolicy;
  /** What people should know of it; null: nothing. */
  warning: string | null;
}

/**
 * How long footage is kept and how much of it. A camera's own `retention` below 30 days holds only where
 * `footage.allowShorterRetention` says so; either way there is something to be told. Pure.
 */
export function retentionPolicies(footage: Config['footage'], site: Site): Policies {
  const cameras = new Map(site.cameras.map((camera) => [camera.id, camera]));
  const asked = (camera: SiteCamera | undefined): number => (camera?.retention ? parseDuration(camera.retention) : footage.retention);
  const kept = (ms: number): number => (footage.allowShorterRetention ? ms : Math.max(ms, LEAST_RETENTION_MS));
  const short = site.cameras.filter((camera) => asked(camera) < LEAST_RETENTION_MS).map((camera) => camera.id);
  const names = short.length > 3 ? `${short.slice(0, 3).join(', ')} and ${short.length - 3} more cameras` : short.length > 1 ? `cameras ${short.join(', ')}` : `camera ${short.join('')}`;
  let warning: string | null = null;
  if (footage.allowShorterRetention && footage.retention < LEAST_RETENTION_MS) warning = 'footage is kept for less than 30 days: footage.retention is shorter, and footage.allowShorterRetention permits it';
  else if (short.length > 0 && footage.allowShorterRetention) warning = `footage of ${names} is kept for less than 30 days, as the site asks and footage.allowShorterRetention permits`;
  else if (short.length > 0) warning = `the site asks to keep footage of ${names} for less than 30 days; it is kept for 30 days: set footage.allowShorterRetention to true if that is meant, or take "retention" out of the site`;
  return {
    policy: (logId) => {
      const { cameraId, second } = cameraOfLog(logId);
      const camera = cameras.get(cameraId);
      // The further stream may always go earlier: the analysed one is kept.
      if (second) return { retentionMs: footage.secondStreamRetention ?? kept(asked(camera)), quotaBytes: null };
      return { retentionMs: kept(asked(camera)), quotaBytes: camera?.quota ? parseSize(camera.quota) : footage.cameraQuota };
    },
    warning,
  };
}
