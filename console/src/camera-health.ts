import type { CameraState, Problem } from './api.js';

/** How a camera is, worst first. `paused`: everything works, but now is outside its hours of analysis. */
export const HEALTHS = ['problem', 'offline', 'paused', 'disabled', 'ok'] as const;
export type Health = (typeof HEALTHS)[number];

/** Older pictures are no live pictures. */
const STALE_MS = 30_000;
/** Analysis may lie behind by a few GOPs; this is more. */
const LAG_MS = 60_000;

/** What the service says is wrong with a camera: problems are named `part/camera`, some `part/camera/detail`. */
export function problemsOf(cameraId: string, problems: readonly Problem[]): Problem[] {
  return problems.filter(({ part }) => part.split('/')[1] === cameraId && !part.startsWith('platform/'));
}

export function pictureAge(camera: CameraState, now: number): number | null {
  return camera.stream.lastUnitAt === null ? null : Math.max(0, now - camera.stream.lastUnitAt);
}

/** How far analysis is behind the newest picture; null where nothing was analysed. */
export function analysisLag(camera: CameraState, now: number): number | null {
  return camera.analysedTo === null ? null : Math.max(0, (camera.stream.lastUnitAt ?? now) - camera.analysedTo);
}

export function healthOf(camera: CameraState, problems: readonly Problem[], now: number): Health {
  if (!camera.enabled) return 'disabled';
  if (!camera.online && camera.stream.state !== 'streaming') return 'offline';
  const stale = (pictureAge(camera, now) ?? Infinity) > STALE_MS;
  if (camera.stream.state !== 'streaming' || stale || problems.length > 0 || (analysisLag(camera, now) ?? 0) > LAG_MS) return 'problem';
  return camera.analysis.open ? 'ok' : 'paused';
}

/** Whether a camera is what somebody looks for. */
export function matches(camera: CameraState, query: string): boolean {
  const wanted = query.trim().toLowerCase().split(/\s+/).filter((word) => word !== '');
  if (wanted.length === 0) return true;
  const text = [camera.id, camera.name, camera.deviceNumber, camera.roadSection, camera.direction, camera.lot, camera.gb28181?.deviceId, camera.gb28181?.channelId, camera.manufacturer, camera.model, camera.notes, ...camera.berths.map((berth) => berth.number)].join('\n').toLowerCase();
  return wanted.every((word) => text.includes(word));
}
