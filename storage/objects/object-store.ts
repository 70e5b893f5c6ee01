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
  /** Hexadecimal SHA-256 that the bytes must have. */
  sha256?: string;
  /** Fails as a conflict where the key is taken; default: replaces. */
  ifAbsent?: boolean;
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
 * and once `put` has resolved it survives a power cut. All adapters pass `objectStoreConformance`.
 *
 * Every method rejects with a BerthwatchError: bad-input (the key, the body), not-found, conflict, unavailable (the disk or
 * the server does not work now).
 */
export interface ObjectStore {
  /** @throws bad-input where size or SHA-256 are not as told: then nothing is stored, and what was there before stays */
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
  /** Removing what is not there is no error. */
  delete(key: string): Promise<void>;
}
