import type { Queryable } from '../../storage/catalogue/queryable.js';
import type { DeliveryOutcome, PlatformMessage } from '../message.js';

/** A message to be put into the outbox. */
export interface OutboxEntry {
  platform: string;
  /** Names the message for ever, `<uid>/enter` for example: putting it in again is a no-op. */
  key: string;
  /** Keys of messages that the platform must have first. */
  requires: readonly string[];
  message: PlatformMessage;
  visitUid: string | null;
  createdAt: number;
}

/** A message claimed for one attempt; the attempt is already counted in the table. */
export interface ClaimedMessage {
  id: number;
  key: string;
  message: PlatformMessage;
  /** This attempt included. */
  attempts: number;
  refusals: number;
}

export interface OutboxCounts {
  platform: string;
  pending: number;
  delivered: number;
  refused: number;
  /** Unix ms at which the oldest undelivered message was made; null: none waits. */
  oldestPendingAt: number | null;
}

/** Puts messages in; part of the transaction that makes them true. */
export async function enqueue(tx: Queryable, entries: readonly OutboxEntry[]): Promise<void> {
  for (const entry of entries) {
    await tx.query(
      `INSERT INTO outbox (platform, message_key, requires, kind, visit_uid, message, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (platform, message_key) DO NOTHING`,
      [entry.platform, entry.key, entry.requires, entry.message.kind, entry.visitUid, JSON.stringify(entry.message), entry.createdAt],
    );
  }
}

/** The rows of one platform. All decisions about order are in the two claims. */
export class OutboxTable {
  readonly #database: Queryable;
  readonly #platform: string;

  constructor(database: Queryable, platform: string) {
    this.#database = database;
    this.#platform = platform;
  }

  /** The oldest message that was never tried and whose predecessors have arrived. */
  claimFresh(now: number): Promise<ClaimedMessage | null> {
    return this.#claim('o.attempts = 0', 'o.id ASC', now);
  }

  /** The newest message that waits and whose predecessors have arrived (T/QME 0013-2024 A.3.1: 优先重传最新的记录). */
  claimNewest(now: number): Promise<ClaimedMessage | null> {
    return this.#claim('TRUE', 'o.created_at DESC, o.id DESC', now);
  }

  async #claim(condition: string, order: string, now: number): Promise<ClaimedMessage | null> {
    const { rows } = await this.#database.query<{ id: number; message_key: string; message: PlatformMessage; attempts: number; refusals: number }>(
      `UPDATE outbox SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, $2), last_attempt_at = $2
       WHERE id = (
         SELECT o.id FROM outbox o
         WHERE o.platform = $1 AND o.state = 'pending' AND o.not_before <= $2 AND ${condition}
           AND NOT EXISTS (
             SELECT 1 FROM outbox r WHERE r.platform = o.platform AND r.message_key = ANY (o.requires) AND r.state <> 'delivered')
         ORDER BY ${order} LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING id, message_key, message, attempts, refusals`,
      [this.#platform, now],
    );
    const row = rows[0];
    return row ? { id: row.id, key: row.message_key, message: row.message, attempts: row.attempts, refusals: row.refusals } : null;
  }

  async delivered(id: number, now: number, response: string): Promise<void> {
    await this.#database.query(`UPDATE outbox SET state = 'delivered', delivered_at = $2, last_outcome = $3 WHERE id = $1`, [id, now, response]);
  }

  /** Keeps the message for another attempt, not before `notBefore` (Unix ms). */
  async failed(id: number, outcome: Exclude<DeliveryOutcome, { outcome: 'delivered' }>, notBefore: number): Promise<void> {
    const refused = outcome.outcome === 'refused';
    const text = refused ? `refused (${outcome.code}): ${outcome.reason}` : `unreachable: ${outcome.reason}`;
    await this.#database.query(`UPDATE outbox SET refusals = refusals + $2, not_before = $3, last_outcome = $4 WHERE id = $1`, [id, refused ? 1 : 0, notBefore, text.slice(0, 1000)]);
  }

  async counts(): Promise<OutboxCounts> {
    const { rows } = await this.#database.query<{ pending: number; delivered: number; refused: number; oldest: number | null }>(
      `SELECT count(*) FILTER (WHERE state = 'pending')::int4 AS pending, count(*) FILTER (WHERE state = 'delivered')::int4 AS delivered,
              count(*) FILTER (WHERE state = 'pending' AND refusals > 0)::int4 AS refused, min(created_at) FILTER (WHERE state = 'pending') AS oldest
       FROM outbox WHERE platform = $1`,
      [this.#platform],
    );
    const row = rows[0];
    return { platform: this.#platform, pending: row?.pending ?? 0, delivered: row?.delivered ?? 0, refused: row?.refused ?? 0, oldestPendingAt: row?.oldest ?? null };
  }
}
