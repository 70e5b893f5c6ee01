import { BerthwatchError } from '../../base/errors.js';

/** Where a PostgreSQL server listens and who we are there. */
export interface DatabaseAddress {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/** The address as a URL without its password, for logs. */
export function describeAddress(address: DatabaseAddress | string): string {
  if (typeof address !== 'string') return `postgres://${address.user}@${address.host}:${address.port}/${address.database}`;
  try {
    const url = new URL(address);
    url.password = '';
    return url.toString();
  } catch {
    return 'DATABASE_URL';
  }
}

/**
 * Checks a `postgres://` URL before it is used.
 *
 * @throws BerthwatchError bad-input
 */
export function checkDatabaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol) || url.pathname.length < 2) {
    throw new BerthwatchError('bad-input', 'CATALOGUE_URL', 'DATABASE_URL must look like postgres://user:password@host:5432/database');
  }
  return text;
}
