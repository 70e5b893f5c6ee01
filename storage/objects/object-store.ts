/** What a store knows about an object. */
export interface ObjectInfo {
  key: string;
  /** Bytes. */
  size: number;
  /** Media type, as given when it was put. */
  contentType: string;
  /** Of the bytes, hexadecimal. */
  sha256: string;
  /** Unix ms when it was put. */
  storedAt: number;
}

/** The bytes of an object to be: all at once, or a stream whose size is known (stores may not buffer to find it out). */
export type ObjectBody = Uint8Array | { size: number; stream: AsyncIterable<Uint8Array> };

export interface PutOptions {
  contentType: string;
  /** Hexadecimal SHA-256 that the bytes must have. Large streams are stored with less work where it is told. */
  sha256?: string;
  /** Fails as a conflict where the key is taken; default: replaces. */
  ifAbsent?: boolean;
  /** Lets a large put that was interrupted go on where it was, instead of beginning anew. */
  resume?: ResumableUpload;
}

/** The memory of a put in several parts, kept by the caller over restarts. Stores that need none never call it. */
export interface ResumableUpload {
  /** As `begun` was told by an earlier, interrupted put of the same bytes; null: none. */
  uploadId: string | null;
  /** A new upload was begun: to be remembered before its first part is sent. */
  begun(uploadId: string): Promise<void>;
}

/** An upload in parts that was neither completed nor given up. */
export interface PendingUpload {
  key: string;
  uploadId: string;
  /** Unix ms. */
  begunAt: number;
}

/** Bytes `from` to `to`, both included, counted from 0, as in HTTP; `to` may lie beyond the end. */
export interface ByteRange {
  from: number;
  to: number;
}

export interface ObjectContent {
  info: ObjectInfo;
  /** To be read once; reading may fail as the call itself may. Leaving the loop early releases everything. */
  body: AsyncIterable<Uint8Array>;
}

export interface ListOptions {
  /** Keys behind this one. */
  after?: string;
  /** Most keys of one page; at most 1000, which is the default. */
  limit?: number;
}

export interface ObjectPage {
  /** By key, in the order of their bytes. */
  objects: Pick<ObjectInfo, 'key' | 'size' | 'storedAt'>[];
  /** `after` of the next page; null on the last one. */
  next: string | null;
}

/**
 * Where pictures, documents and archived footage lie: files or a bucket. A key appears with all of its bytes or not at all,
 * and once `put` has resolved it survives a power cut. All adapters pass `objectStoreConformance`. No key should be the folder of
 * another (`a` and `a/b`): both are kept, but there are servers that then do not list the second.
 *
 * Every method rejects with a BerthwatchError: bad-input (the key, the body; `OBJECT_UNSUPPORTED` where this store cannot do it),
 * not-found, conflict, unauthorised (the credentials), unavailable (the disk or the server does not work now).
 */
export interface ObjectStore {
  /** Where it is, for messages: `bucket footage at https://…`, `folder …`; never secrets. */
  readonly place: string;
  /** Whether it can be used now. @throws BerthwatchError that says what to do */
  check(): Promise<void>;
  /**
   * Once it has resolved, the stored bytes are confirmed to be those that were given: by the store's own checksum, or by
   * reading them back.
   *
   * @throws bad-input where size or SHA-256 are not as told: then nothing is stored, and what was there before stays
   */
  put(key: string, body: ObjectBody, options: PutOptions): Promise<ObjectInfo>;
  /**
   * Without a range, a body that has not the SHA-256 it was put with ends with bad-input (`OBJECT_DAMAGED`) instead of its end.
   *
   * @throws not-found; bad-input where the range begins beyond the end
   */
  get(key: string, range?: ByteRange): Promise<ObjectContent>;
  /** Null where there is no such key. */
  head(key: string): Promise<ObjectInfo | null>;
  /** Keys that begin with `prefix` (any text, not only whole folder names). */
  list(prefix: string, options?: ListOptions): Promise<ObjectPage>;
  /** Removing what is not there is no error. @throws conflict (`OBJECT_LOCKED`) while a lock holds it */
  delete(key: string): Promise<void>;
  /** The same for any number of keys, in few calls. Where some cannot be removed the others are, before it rejects. */
  deleteMany(keys: readonly string[]): Promise<void>;
  /**
   * An address that gives the object to whoever has it, without credentials of ours, for `expiresMs` (at most seven days).
   *
   * @param options.fileName under which a browser saves it
   * @throws bad-input (`OBJECT_UNSUPPORTED`) where the store has no address of its own: then our API serves its objects
   */
  presignedGet(key: string, options: { expiresMs: number; fileName?: string }): Promise<string>;
  /** Uploads of keys that begin with `prefix` which were neither completed nor given up; as far as the server tells. */
  pendingUploads(prefix: string): Promise<PendingUpload[]>;
  /** Gives an upload up and frees what it holds. One that is gone already is no error. */
  abortUpload(key: string, uploadId: string): Promise<void>;
  /** Forbids removing and replacing the object before `until` (Unix ms). @throws bad-input (`OBJECT_UNSUPPORTED`) where the store has no locks */
  lock(key: string, until: number): Promise<void>;
  /** Until when it is locked, Unix ms; null where it is not, or the store has no locks. */
  lockedUntil(key: string): Promise<number | null>;
}
