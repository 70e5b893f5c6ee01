import { askForToken, currentToken } from './session.js';

/** What the service answers; the shapes of `/api/openapi.json`. Times are Unix milliseconds. */

export type Plate = { status: 'read'; text: string; colour: string; confidence: number } | { status: 'none' } | { status: 'unread' };

export interface BerthState {
  id: string;
  number: string;
  kind: string;
  polygon: [number, number][];
  state: 'free' | 'occupied' | 'changing' | 'unknown';
  visit: { uid: string; enteredAt: number; plate: Plate } | null;
}

export interface CameraState {
  id: string;
  name: string;
  deviceNumber: string;
  roadSection: string;
  direction: string;
  lot: string;
  width: number;
  height: number;
  kind: string;
  enabled: boolean;
  gb28181: { deviceId: string; channelId: string } | null;
  streams: { record: string; analyse: string };
  mountingHeightM: number | null;
  location: { longitude: number; latitude: number } | null;
  manufacturer: string | null;
  model: string | null;
  notes: string | null;
  analysis: { windows: { days: string[]; from: string; to: string }[]; open: boolean };
  online: boolean;
  onlineSince: number | null;
  stream: { bitsPerSecond: number | null; lastFailure: { at: number; message: string } | null; state: 'none' | 'waiting' | 'inviting' | 'streaming'; diagnosis: string | null; codec: string | null; transport: string | null; lastUnitAt: number | null; lostPackets: number; strangers: number };
  analysedTo: number | null;
  berths: BerthState[];
}

export interface Picture {
  id: string;
  kind: string;
  role: string;
  takenAt: number;
  bytes: number;
  width: number;
  height: number;
  sha256: string;
}

export interface Delivery {
  platform: string;
  key: string;
  kind: string;
  state: string;
  attempts: number;
  deliveredAt: number | null;
  lastOutcome: string | null;
}

export interface VisitState {
  uid: string;
  cameraId: string;
  berthId: string;
  berthNumber: string;
  roadSection: string;
  lotCode: string;
  plate: Plate;
  vehicleType: string;
  bodyColour: string;
  enteredAt: number;
  leftAt: number | null;
  presentAtStart: boolean;
  confidence: number;
  revision: number;
  feeFen: number | null;
  pictures: Picture[];
  deliveries: Delivery[];
}

export interface Problem {
  part: string;
  message: string;
  since: number;
}

export interface Status {
  version: string;
  startedAt: number;
  now: number;
  problems: Problem[];
  platforms: { platform: string; pending: number; delivered: number; refused: number; oldestPendingAt: number | null }[];
  counts: { visits: number; openVisits: number; pictures: number; pendingEvidence: number };
}

export interface FeedItem {
  id: number;
  at: number;
  type: string;
  data: Record<string, string | number | boolean | null>;
}

/** A URL for pictures and event streams, which cannot carry headers. */
export function withToken(path: string): string {
  const token = currentToken();
  return token ? `${path}${path.includes('?') ? '&' : '?'}access_token=${encodeURIComponent(token)}` : path;
}

/** What the service refused, in its words. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super((body as { message?: string } | null)?.message ?? `HTTP ${status}`);
    this.status = status;
    this.body = body;
  }
}

/** Calls the API. Asks for the token where it is refused without one. @throws ApiError, or what `fetch` throws */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const used = currentToken();
    const headers = new Headers(init.headers);
    if (used !== null) headers.set('authorization', `Bearer ${used}`);
    const response = await fetch(path, { ...init, headers });
    if (response.ok) return response;
    const error = new ApiError(response.status, await response.json().catch(() => null));
    if (response.status !== 401) throw error;
    // Somebody else may have been given a token meanwhile.
    if (used === currentToken() && (await askForToken(error.message, (init.method ?? 'GET') !== 'GET')) === null) throw error;
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await call(path, signal ? { signal } : {})).json()) as T;
}

/** Sends JSON and reads JSON; `undefined` sends no body. */
export async function send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const init: RequestInit = body === undefined ? { method } : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await call(path, init);
  return (response.status === 204 ? null : await response.json()) as T;
}
