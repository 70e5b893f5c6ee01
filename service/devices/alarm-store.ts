import type { DeviceAlarm } from '../../ingest/gb28181/alarm.js';
import type { Database } from '../../storage/catalogue/database.js';

/** An alarm as the catalogue keeps it. */
export interface KeptAlarm extends DeviceAlarm {
  id: number;
  /** Unix ms; null while nobody reset it. */
  resetAt: number | null;
}

export interface AlarmFilter {
  deviceId: string | null;
  sourceId: string | null;
  /** Only alarms older than this id. */
  before: number | null;
  /** Only those that nobody has reset. */
  open: boolean;
  limit: number;
}

interface Row {
  id: number;
  device_id: string;
  source_id: string;
  priority: number | null;
  method: number | null;
  type: number | null;
  event_type: number | null;
  alarm_at: number | null;
  received_at: number;
  description: string | null;
  longitude: number | null;
  latitude: number | null;
  reset_at: number | null;
}

/** PostgreSQL's text holds everything but NUL. */
const clean = (text: string | null): string | null => text?.replaceAll('\u0000', '') ?? null;

/** Alarms in the catalogue. All calls reject with BerthwatchError unavailable while the database cannot be used. */
export class AlarmStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** An alarm that is there already is no error. */
  async put(alarm: DeviceAlarm): Promise<void> {
    await this.#database.query(
      `INSERT INTO device_alarm (device_id, source_id, priority, method, type, event_type, alarm_at, received_at, description, longitude, latitude)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
      [clean(alarm.deviceId), clean(alarm.sourceId), alarm.priority, alarm.method, alarm.type, alarm.eventType, alarm.at, alarm.receivedAt, clean(alarm.description), alarm.longitude, alarm.latitude],
    );
  }

  /** Newest first. */
  async list(filter: AlarmFilter): Promise<KeptAlarm[]> {
    const { rows } = await this.#database.query<Row>(
      `SELECT * FROM device_alarm
       WHERE ($1::text IS NULL OR device_id = $1) AND ($2::text IS NULL OR source_id = $2) AND ($3::int8 IS NULL OR id < $3) AND (NOT $4 OR reset_at IS NULL)
       ORDER BY id DESC LIMIT $5`,
      [filter.deviceId, filter.sourceId, filter.before, filter.open, filter.limit],
    );
    return rows.map((row) => ({
      id: row.id,
      deviceId: row.device_id,
      sourceId: row.source_id,
      priority: row.priority,
      method: row.method,
      type: row.type,
      eventType: row.event_type,
      at: row.alarm_at,
      receivedAt: row.received_at,
      description: row.description,
      longitude: row.longitude,
      latitude: row.latitude,
      resetAt: row.reset_at,
    }));
  }

  /** Notes that a device's alarms were reset. @returns how many */
  async reset(deviceId: string, what: { sourceId: string | null; method: number | null; type: number | null }, at: number): Promise<number> {
    const { rows } = await this.#database.query(
      `UPDATE device_alarm SET reset_at = $5
       WHERE device_id = $1 AND reset_at IS NULL AND ($2::text IS NULL OR source_id = $2) AND ($3::int4 IS NULL OR method = $3) AND ($4::int4 IS NULL OR type = $4) RETURNING id`,
      [deviceId, what.sourceId, what.method, what.type, at],
    );
    return rows.length;
  }

  /** Drops what is older than `before` (Unix ms), and the oldest beyond `most`. @returns how many */
  async expire(before: number, most: number): Promise<number> {
    const { rows } = await this.#database.query(
      `DELETE FROM device_alarm WHERE received_at < $1 OR id <= (SELECT id FROM device_alarm ORDER BY id DESC OFFSET $2 LIMIT 1) RETURNING id`,
      [before, most],
    );
    return rows.length;
  }
}
