import type { Database } from '../../storage/catalogue/database.js';
import { BerthwatchError } from '../../base/errors.js';

export type DeviceRecordingState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

/** A wish for what a camera recorded by itself, and what came of it. Times are Unix ms. */
export interface DeviceRecording {
  id: string;
  cameraId: string;
  from: number;
  to: number;
  speed: number;
  state: DeviceRecordingState;
  attempts: number;
  createdAt: number;
  finishedAt: number | null;
  note: string | null;
  firstAt: number | null;
  lastAt: number | null;
  codec: string | null;
  bytes: number;
  announcedBytes: number | null;
  complete: boolean | null;
  gaps: { from: number; to: number }[];
  objectKey: string | null;
  sha256: string | null;
}

const COLUMNS: Record<keyof DeviceRecording, string> = {
  id: 'id',
  cameraId: 'camera_id',
  from: 'from_at',
  to: 'to_at',
  speed: 'speed',
  state: 'state',
  attempts: 'attempts',
  createdAt: 'created_at',
  finishedAt: 'finished_at',
  note: 'note',
  firstAt: 'first_at',
  lastAt: 'last_at',
  codec: 'codec',
  bytes: 'bytes',
  announcedBytes: 'announced_bytes',
  complete: 'complete',
  gaps: 'gaps',
  objectKey: 'object_key',
  sha256: 'sha256',
};
const SELECT = Object.entries(COLUMNS).map(([name, column]) => `${column} AS "${name}"`).join(', ');

/** Device recordings in the catalogue. */
export class RecordingRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws BerthwatchError conflict where the same time of the camera is wanted or there already */
  async add(recording: Pick<DeviceRecording, 'id' | 'cameraId' | 'from' | 'to' | 'speed' | 'createdAt'>): Promise<DeviceRecording> {
    const { id, cameraId, from, to, speed, createdAt } = recording;
    const { rows } = await this.#database.query<DeviceRecording>(
      `INSERT INTO device_recording (id, camera_id, from_at, to_at, speed, state, created_at) VALUES ($1, $2, $3, $4, $5, 'queued', $6) ON CONFLICT DO NOTHING RETURNING ${SELECT}`,
      [id, cameraId, from, to, speed, createdAt],
    );
    if (rows[0]) return rows[0];
    const { rows: known } = await this.#database.query<{ id: string; state: string }>(`SELECT id, state FROM device_recording WHERE camera_id = $1 AND from_at = $2 AND to_at = $3 AND state IN ('queued', 'running', 'done')`, [cameraId, from, to]);
    throw new BerthwatchError('conflict', 'DEVICE_RECORDING_EXISTS', `this time of camera ${cameraId} is ${known[0]?.state === 'done' ? 'there' : 'being fetched'} already: recording ${known[0]?.id ?? ''}`, { detail: { id: known[0]?.id ?? null } });
  }

  /** Newest wish first. */
  async list(filter: { cameraId?: string | undefined; limit: number }): Promise<DeviceRecording[]> {
    const { rows } = await this.#database.query<DeviceRecording>(`SELECT ${SELECT} FROM device_recording WHERE $1::text IS NULL OR camera_id = $1 ORDER BY created_at DESC, id LIMIT $2`, [filter.cameraId ?? null, filter.limit]);
    return rows;
  }

  async get(id: string): Promise<DeviceRecording | null> {
    const { rows } = await this.#database.query<DeviceRecording>(`SELECT ${SELECT} FROM device_recording WHERE id = $1`, [id]);
    return rows[0] ?? null;
  }

  /** Those still to be fetched, oldest wish first; what a former run was fetching begins anew. */
  async unfinished(): Promise<DeviceRecording[]> {
    const { rows } = await this.#database.query<DeviceRecording>(`SELECT ${SELECT} FROM device_recording WHERE state IN ('queued', 'running') ORDER BY created_at, id`);
    return rows;
  }

  async update(id: string, change: Partial<Omit<DeviceRecording, 'id'>>): Promise<void> {
    const entries = Object.entries(change) as [keyof DeviceRecording, unknown][];
    if (entries.length === 0) return;
    const assignments = entries.map(([name], i) => `${COLUMNS[name]} = $${i + 2}`);
    await this.#database.query(`UPDATE device_recording SET ${assignments.join(', ')} WHERE id = $1`, [id, ...entries.map(([name, value]) => (name === 'gaps' ? JSON.stringify(value) : (value as string | number | boolean | null)))]);
  }

  async remove(id: string): Promise<void> {
    await this.#database.query('DELETE FROM device_recording WHERE id = $1', [id]);
  }
}
