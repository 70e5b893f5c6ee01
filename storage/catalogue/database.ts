import pg from 'pg';
import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { describeAddress, type DatabaseAddress } from './database-address.js';
import { databaseError, isConnectionLoss } from './database-errors.js';
import type { Queryable, SqlResult, SqlValue } from './queryable.js';

const INT8 = 20;
const INT8_ARRAY = 1016;

export interface DatabaseOptions {
  /** An address, or a `postgres://` URL. */
  address: DatabaseAddress | string;
  clock: Clock;
  logger: Logger;
  /** Most connections at a time. */
  connections?: number;
  /** How long a call waits for a server that is away before it fails as unavailable. */
  patienceMs?: number;
}

export interface DatabaseStatus {
  state: 'ok' | 'failing';
  /** What is wrong, for people; null when ok. */
  reason: string | null;
  /** Unix ms since when the state holds. */
  since: number;
}

function int8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new BerthwatchError('internal', 'CATALOGUE_INT8', `int8 ${text} does not fit a number`);
  return value;
}

/** Node-postgres gives int8 as text, because it may exceed 2^53; ours are times and sizes, which do not. */
const types = {
  getTypeParser(oid: number, format?: string): unknown {
    if (format !== 'binary' && oid === INT8) return int8;
    if (format !== 'binary' && oid === INT8_ARRAY) {
      return (text: string) => (pg.types.getTypeParser(INT8_ARRAY as number)(text) as (string | null)[]).map((v) => (v === null ? null : int8(v)));
    }
    return pg.types.getTypeParser(oid, format as 'text');
  },
};

/**
 * A pool of connections that outlives restarts of its server. A call made while the server is away waits for it, at most
 * `patienceMs`; a statement whose connection broke under way fails as unavailable, because nobody knows whether it was
 * carried out: the caller, who knows whether it may be repeated, tries again.
 */
export class Database implements Queryable {
  readonly #options: Required<DatabaseOptions>;
  readonly #pool: pg.Pool;
  readonly #where: string;
  readonly #logger: Logger;
  #status: DatabaseStatus;
  #closing = false;

  constructor(options: DatabaseOptions) {
    this.#options = { connections: 10, patienceMs: 15_000, ...options };
    this.#where = describeAddress(options.address);
    this.#logger = options.logger.child({ part: 'database' });
    this.#status = { state: 'ok', reason: null, since: options.clock.now() };
    this.#pool = new pg.Pool({
      ...(typeof options.address === 'string' ? { connectionString: options.address } : options.address),
      max: this.#options.connections,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      application_name: 'berthwatch',
      types: types as unknown as pg.CustomTypesConfig,
      // No timer of the pool keeps a finished program alive.
      allowExitOnIdle: true,
    });
    // Without listeners a server that goes away would end our process.
    this.#pool.on('error', (error) => this.#note(error));
    this.#pool.on('connect', (client) => void client.on('error', () => undefined));
  }

  /** Waits until the server answers. @throws BerthwatchError unavailable or unauthorised */
  async start(): Promise<void> {
    await this.query('SELECT 1');
  }

  /** Waits for calls under way, then closes every connection. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#pool.end();
  }

  status(): DatabaseStatus {
    return this.#status;
  }

  async query<Row extends object = Record<string, unknown>>(text: string, values: readonly SqlValue[] = []): Promise<SqlResult<Row>> {
    const client = await this.#connect();
    let broken = false;
    try {
      return await send<Row>(client, text, values);
    } catch (error) {
      broken = isConnectionLoss(error);
      throw this.#noted(error);
    } finally {
      client.release(broken);
    }
  }

  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it rejects (whose error is passed on).
   * `work` must use only what it is given; statements outside of it are not part of the transaction.
   *
   * @throws BerthwatchError as `query`; `CATALOGUE_COMMIT_UNKNOWN` (unavailable) where the connection broke at COMMIT, so
   *   that nobody can tell whether it happened: repeat only what is idempotent
   */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await this.#begin();
    let broken = false;
    let open = true;
    const tx: Queryable = {
      query: async <Row extends object>(text: string, values: readonly SqlValue[] = []) => {
        if (!open) throw new BerthwatchError('internal', 'CATALOGUE_TRANSACTION_OVER', 'a statement was sent to a transaction that has ended');
        try {
          return await send<Row>(client, text, values);
        } catch (error) {
          broken ||= isConnectionLoss(error);
          throw this.#noted(error);
        }
      },
    };
    try {
      const result = await work(tx);
      open = false;
      await this.#commit(client);
      return result;
    } catch (error) {
      open = false;
      broken ||= isConnectionLoss(error) || (error instanceof BerthwatchError && error.code === 'CATALOGUE_COMMIT_UNKNOWN');
      if (!broken) await client.query('ROLLBACK').catch(() => (broken = true));
      throw error;
    } finally {
      open = false;
      client.release(broken);
    }
  }

  async #commit(client: pg.PoolClient): Promise<void> {
    try {
      // A transaction with a failed statement answers COMMIT with ROLLBACK: the work swallowed an error.
      const { command } = await client.query('COMMIT');
      if (command !== 'COMMIT') throw new BerthwatchError('internal', 'CATALOGUE_ROLLED_BACK', 'the transaction held a failed statement and was rolled back');
    } catch (error) {
      if (!isConnectionLoss(error)) throw this.#noted(error);
      this.#note(error);
      throw new BerthwatchError('unavailable', 'CATALOGUE_COMMIT_UNKNOWN', `database (${this.#where}): the connection broke at COMMIT: ${messageOf(error)}`, { cause: error });
    }
  }

  /** A connection with a transaction begun. A connection that broke unnoticed while idle shows here, where nothing is lost. */
  async #begin(): Promise<pg.PoolClient> {
    const deadline = this.#options.clock.monotonic() + this.#options.patienceMs;
    for (;;) {
      const client = await this.#connect();
      try {
        await client.query('BEGIN');
        return client;
      } catch (error) {
        client.release(true);
        if (!isConnectionLoss(error) || this.#options.clock.monotonic() >= deadline) throw this.#noted(error);
      }
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    const { clock, patienceMs } = this.#options;
    const deadline = clock.monotonic() + patienceMs;
    let pause = 20;
    for (;;) {
      if (this.#closing) throw new BerthwatchError('unavailable', 'CATALOGUE_CLOSED', 'the database connection is closed');
      try {
        const client = await this.#pool.connect();
        if (this.#status.state === 'failing') {
          this.#status = { state: 'ok', reason: null, since: clock.now() };
          this.#logger.info({ database: this.#where }, 'the database answers again');
        }
        return client;
      } catch (error) {
        const mapped = this.#noted(error);
        if (mapped.kind !== 'unavailable' || clock.monotonic() + pause > deadline) throw mapped;
      }
      await sleep(clock, pause);
      pause = Math.min(pause * 2, 500);
    }
  }

  #noted(error: unknown): BerthwatchError {
    const mapped = databaseError(error, this.#where);
    if (mapped.code === 'CATALOGUE_CONNECTION' || mapped.kind === 'unauthorised') this.#note(error);
    return mapped;
  }

  #note(error: unknown): void {
    if (this.#closing || this.#status.state === 'failing') return;
    this.#status = { state: 'failing', reason: `${this.#where}: ${messageOf(error)}`, since: this.#options.clock.now() };
    this.#logger.warn({ database: this.#where, error: messageOf(error) }, 'the database does not answer');
  }
}

async function send<Row extends object>(client: pg.PoolClient, text: string, values: readonly SqlValue[]): Promise<SqlResult<Row>> {
  // Node-postgres wants Buffers for bytea and copies plain Uint8Arrays only in newer versions.
  const encoded = values.map((value) => (value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value));
  const { rows, rowCount } = await client.query<Row>(text, encoded as unknown[]);
  return { rows, rowCount: rowCount ?? 0 };
}
