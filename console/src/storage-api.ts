import { send } from './api.js';
import { to } from './router.js';

/** Disk, archive and holds as the service answers (`/api/openapi.json`). Times are Unix milliseconds. */
export interface CameraStorage {
  cameraId: string;
  segments: number;
  bytes: number;
  oldestDay: number | null;
  bytesPerDay: number | null;
  retentionMs: number;
  quotaBytes: number | null;
  refused: string | null;
}

export interface StorageState {
  state: 'ok' | 'filling' | 'dropping' | 'refusing' | 'unknown';
  disk: { totalBytes: number; freeBytes: number; reserveBytes: number } | null;
  quotaBytes: number | null;
  bytes: number;
  segments: number;
  bytesPerDay: number | null;
  daysLeft: number | null;
  whenFull: 'refuse' | 'drop-oldest';
  dropped: { segments: number; bytes: number; lastAt: number | null };
  lastPass: { at: number; tookMs: number; segments: number; bytes: number } | null;
  cameras: CameraStorage[];
}

export interface ArchiveState {
  state: 'ok' | 'failing';
  reason: string | null;
  since: number;
  nextTryAt: number | null;
  place: string;
  backlog: { segments: number; bytes: number; oldestAt: number | null; remainingMs: number | null };
  uploading: { cameraId: string; segment: number; bytes: number; sent: number }[];
  uploaded: { segments: number; bytes: number };
  bytesPerSecond: number;
  blocked: { segments: number; first: { cameraId: string; segment: number; error: string } | null };
  trouble: string | null;
  waitingRemovals: number;
  unconfirmed: number;
}

export interface CheckState {
  segments: number;
  bytes: number;
  beganAt: number | null;
  lastRoundAt: number | null;
  findings: number;
  newest: string | null;
}

export interface ArchiveView {
  archive: ArchiveState | null;
  check: CheckState | null;
}

export interface StoredFinding {
  kind: string;
  cameraId: string | null;
  segment: number | null;
  startedAt: number | null;
  endedAt: number | null;
  where: string;
  expected: string | null;
  actual: string | null;
  damage: { gop: number | null; offset: number | null; at: number | null; what: string } | null;
  advice: string | null;
  foundAt: number;
}

export interface Hold {
  id: number;
  cameraId: string;
  from: number;
  to: number | null;
  visitUid: string | null;
  reason: string;
  heldBy: string;
  createdAt: number;
  until: number | null;
  releasedAt: number | null;
  releasedBy: string | null;
  /** Null of a released one. */
  covers: { segments: number; bytes: number; gone: number } | null;
}

export type NewHold = { reason: string; heldBy: string; until?: number } & ({ visitUid: string } | { cameraId: string; from: number; to: number });

export const addHold = (hold: NewHold): Promise<Hold> => send('POST', '/api/holds', hold);
export const releaseHold = (id: number, by: string): Promise<Hold> => send('DELETE', `/api/holds/${id}?by=${encodeURIComponent(by)}`);

/** An address of the page of holds, its form filled in. */
export function holdAddress(of: { visitUid: string } | { cameraId: string; from: number; to: number }): string {
  const query: Record<string, string> = 'visitUid' in of ? { visit: of.visitUid } : { camera: of.cameraId, from: String(Math.round(of.from)), to: String(Math.round(of.to)) };
  return `${to('holds')}?${new URLSearchParams(query).toString()}`;
}
