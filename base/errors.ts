/**
 * The few kinds that every foreign error becomes at the edge of a room.
 *
 * - `bad-input`: bytes, files, configuration or people gave us something unusable; trying again cannot help
 * - `not-found`: the thing asked for is not there
 * - `conflict`: the request contradicts what is stored
 * - `unavailable`: a dependency (disk, database, network, child process) does not work now; trying again may help
 * - `unauthorised`: the peer did not prove who it is
 * - `internal`: a bug of ours
 */
export type ErrorKind = 'bad-input' | 'not-found' | 'conflict' | 'unavailable' | 'unauthorised' | 'internal';

export interface ErrorOptionsWithDetail {
  cause?: unknown;
  /** Machine-readable facts for logs and the API; never secrets. */
  detail?: Record<string, unknown>;
}

/** An error with a stable code (`ROOM_WHAT`) and a message that says what is wrong, where, and what to do. */
export class BerthwatchError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly detail: Record<string, unknown>;

  constructor(kind: ErrorKind, code: string, message: string, options: ErrorOptionsWithDetail = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BerthwatchError';
    this.kind = kind;
    this.code = code;
    this.detail = options.detail ?? {};
  }

  /** True where the same call may succeed later without anybody changing its input. */
  get retryable(): boolean {
    return this.kind === 'unavailable';
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
