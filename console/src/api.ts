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
  online: boolean;
  stream: { state: 'none' | 'waiting' | 'inviting' | 'streaming'; diagnosis: string | null; codec: string | null; transport: string | null; lastUnitAt: number | null; lostPackets: number; strangers: number };
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

/** Token given in the page's address (`?token=…`) once, then kept for the tab. */
const token = ((): string | null => {
  const given = new URLSearchParams(location.search).get('token');
  if (given) sessionStorage.setItem('token', given);
  return given ?? sessionStorage.getItem('token');
})();

/** A URL for pictures and event streams, which cannot carry headers. */
export function withToken(path: string): string {
  return token ? `${path}${path.includes('?') ? '&' : '?'}access_token=${encodeURIComponent(token)}` : path;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(path, { ...(signal ? { signal } : {}), headers: token ? { authorization: `Bearer ${token}` } : {} });
  if (!response.ok) {
    const answer = (await response.json().catch(() => null)) as { message?: string } | null;
    throw new Error(answer?.message ?? `HTTP ${response.status}`);
  }
  return (await response.json()) as T;
}
