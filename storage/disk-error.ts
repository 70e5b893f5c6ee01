import { BerthwatchError, messageOf } from '../base/errors.js';

/** Whether the system says that there is no such file or folder. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Whether the error comes from a system call. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

const REMEDIES: Record<string, string> = {
  ENOSPC: 'the disk is full: free space or shorten the retention',
  EDQUOT: 'the quota is used up: raise it or shorten the retention',
  EROFS: 'the disk is read-only: look for errors of the device and mount it for writing again',
  EACCES: 'permission denied: let the user that runs berthwatch write there',
  EPERM: 'not permitted: let the user that runs berthwatch write there',
  ENOENT: 'it is not there: mount the disk, or restore the folder',
  ENOTDIR: 'a file stands where a folder is needed',
  EIO: 'the device reports errors: check the disk',
};

/** What the system said about `path`, as an error of ours (unavailable) that says what to do; errors of ours pass as they are. */
export function diskError(error: unknown, path: string): BerthwatchError {
  if (error instanceof BerthwatchError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const remedy = REMEDIES[code];
  return new BerthwatchError('unavailable', 'STORAGE_DISK', `${path}: ${remedy ?? messageOf(error)}${remedy ? ` (${code})` : ''}`, { cause: error, detail: { errno: code } });
}
