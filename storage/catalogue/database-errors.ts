import { BerthwatchError, messageOf, type ErrorKind } from '../../base/errors.js';

const CONNECTION_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ECONNABORTED']);

interface PgErrorFacts {
  code?: string;
  constraint?: string;
  table?: string;
  column?: string;
}

/** True where the error means that the connection, not the statement, failed (PostgreSQL, Appendix A: classes 08 and 57P). */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof BerthwatchError) return error.code === 'CATALOGUE_CONNECTION';
  const code = (error as PgErrorFacts).code ?? '';
  if (CONNECTION_CODES.has(code) || code.startsWith('08') || code.startsWith('57P') || code === '53300') return true;
  // node-postgres gives these no code.
  return error instanceof Error && /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|timeout expired|Client was closed)/.test(error.message);
}

/** Maps anything node-postgres throws to one of our kinds. */
export function databaseError(error: unknown, where: string): BerthwatchError {
  if (error instanceof BerthwatchError) return error;
  const { code = '', constraint, table, column } = (typeof error === 'object' && error !== null ? error : {}) as PgErrorFacts;
  const detail: Record<string, unknown> = { sqlState: code };
  if (constraint !== undefined) detail['constraint'] = constraint;
  if (table !== undefined) detail['table'] = table;
  if (column !== undefined) detail['column'] = column;
  const make = (kind: ErrorKind, suffix: string): BerthwatchError =>
    new BerthwatchError(kind, `CATALOGUE_${suffix}`, `database (${where}): ${messageOf(error)}`, { cause: error, detail });
  if (isConnectionLoss(error)) return make('unavailable', 'CONNECTION');
  // 53: no disk, no memory; 55P03, 40001, 40P01: somebody else was in the way.
  if (code.startsWith('53') || code === '55P03' || code.startsWith('40')) return make('unavailable', 'BUSY');
  if (code === '25006') return make('unavailable', 'READ_ONLY');
  if (code.startsWith('28')) return make('unauthorised', 'REFUSED');
  if (code.startsWith('23')) return make('conflict', 'CONSTRAINT');
  if (code.startsWith('22')) return make('bad-input', 'VALUE');
  return make('internal', 'SQL');
}
