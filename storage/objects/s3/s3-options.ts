import type { Clock } from '../../../base/clock.js';

/** How a bucket is reached. */
export interface S3Options {
  /** `https://s3.example.com`, `http://192.0.2.7:9000`: scheme, host and port, nothing else. */
  endpoint: string;
  region: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  /** In front of every key, with a `/` between; empty: none. */
  prefix: string;
  /** The bucket's name in the path (as most servers of one's own want it), or before the host's. */
  pathStyle: boolean;
  /** Certificates (PEM) that are trusted beside the system's; null: none. */
  ca: string | null;
  /** Makes the bucket where it is missing. */
  createBucket: boolean;
  /** A request on which nothing moves for so long has failed, ms. */
  timeoutMs: number;
  /** How often a request is tried where another try may help. */
  attempts: number;
  /** Larger objects are put in parts of this size, bytes; at least 5 MiB. At most so many bytes of a put are in memory. */
  partBytes: number;
  clock: Clock;
}

/** The least that S3 takes for a part that is not the last. */
export const LEAST_PART = 5 * 1024 * 1024;
/** The most parts of an object. */
export const MOST_PARTS = 10_000;
