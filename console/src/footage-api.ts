import { get } from './api.js';

/** Recorded footage as the service answers (`/api/openapi.json`). Times are Unix milliseconds. */
export interface FootageRange {
  from: number;
  to: number;
  codec: string;
  width: number;
  height: number;
  segments: number;
  bytes: number;
}

export interface FootageGap {
  from: number;
  to: number | null;
  reason: string;
}

export interface FootageDay {
  from: number;
  to: number;
  ranges: FootageRange[];
  gaps: FootageGap[];
  coveredMs: number;
  next: number | null;
  formats: { codec: string; width: number; height: number; mimeType: string }[];
}

export interface VisitMark {
  uid: string;
  berthId: string;
  plate: string | null;
  plateStatus: string;
  plateColour: string | null;
  enteredAt: number;
  leftAt: number | null;
}

export interface ExportState {
  id: string;
  request: { kind: 'clip' | 'visit'; cameraId?: string; from?: number; to?: number; uid?: string; watermark: string | null };
  requestedBy: string;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  progress: number;
  error: string | null;
  file: string | null;
  bytes: number | null;
  sha256: string | null;
  facts: { missing?: { from: number; to: number; reason: string }[] } | null;
  createdAt: number;
  expiresAt: number | null;
}

const path = (cameraId: string): string => `/api/cameras/${encodeURIComponent(cameraId)}/footage`;

/** All of a day, however many answers it comes in. */
export async function readDay(cameraId: string, from: number, to: number, signal: AbortSignal): Promise<FootageDay> {
  const day = await get<FootageDay>(`${path(cameraId)}?from=${from}&to=${to}&limit=5000`, signal);
  for (let next = day.next; next !== null; ) {
    const more = await get<FootageDay>(`${path(cameraId)}?from=${next}&to=${to}&limit=5000`, signal);
    day.ranges.push(...more.ranges);
    day.gaps.push(...more.gaps);
    next = more.next;
  }
  return day;
}

export const readMarks = (cameraId: string, from: number, to: number, signal: AbortSignal): Promise<VisitMark[]> => get(`${path(cameraId)}/visits?from=${from}&to=${to}`, signal);

export const playlistUrl = (cameraId: string, from: number, to: number, as: 'stored' | 'h264'): string => `${path(cameraId)}.m3u8?from=${from}&to=${to}${as === 'h264' ? '&as=h264' : ''}`;

/** An address that works without headers. */
export const readLink = (cameraId: string, from: number, to: number): Promise<{ playlist: string }> => get(`${path(cameraId)}/link?from=${from}&to=${to}`);
