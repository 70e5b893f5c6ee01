import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { FileObjectStore } from '../../storage/objects/file-object-store.js';
import type { ObjectStore } from '../../storage/objects/object-store.js';
import { readObject } from '../../storage/objects/read-object.js';
import { S3ObjectStore } from '../../storage/objects/s3/s3-object-store.js';
import { inFolder, type Config } from '../config/config.js';

/** The configured object store, and the folder that was used before it. */
export class Objects {
  readonly store: ObjectStore;
  readonly #start: () => Promise<void>;
  readonly #close: () => void;
  /** Pictures from before a bucket was configured. */
  readonly #before: FileObjectStore | null;

  /** @throws BerthwatchError bad-input where the configuration cannot be used */
  constructor(config: Pick<Config, 'objects' | 'dataFolder' | 'baseFolder'>, clock: Clock) {
    const { objects, dataFolder, baseFolder } = config;
    const usual = join(dataFolder, 'objects');
    if (objects.kind === 'files') {
      const folder = objects.folder === null ? usual : inFolder(baseFolder, objects.folder);
      const store = new FileObjectStore({ folder, clock });
      this.store = store;
      this.#start = () => store.start();
      this.#close = () => undefined;
      this.#before = folder === usual ? null : new FileObjectStore({ folder: usual, clock });
      return;
    }
    const { s3 } = objects;
    const store = new S3ObjectStore({
      endpoint: s3.endpoint ?? '',
      region: s3.region,
      bucket: s3.bucket ?? '',
      accessKey: s3.accessKey ?? '',
      secretKey: s3.secretKey ?? '',
      prefix: s3.prefix,
      pathStyle: s3.pathStyle,
      ca: s3.caFile === null ? null : readCertificates(inFolder(baseFolder, s3.caFile)),
      createBucket: s3.createBucket,
      timeoutMs: s3.timeout,
      attempts: s3.attempts,
      partBytes: s3.partSize,
      clock,
    });
    this.store = store;
    this.#start = () => store.start();
    this.#close = () => store.close();
    this.#before = new FileObjectStore({ folder: usual, clock });
  }

  /** Where pictures may lie: the store, and the folder used before it. */
  get places(): ObjectStore[] {
    return this.#before ? [this.store, this.#before] : [this.store];
  }

  /** @throws BerthwatchError where it cannot be used now; may be called again */
  start(): Promise<void> {
    return this.#start();
  }

  close(): void {
    this.#close();
  }

  /** All bytes of an object; of one that is not there, those in the folder used before. @throws BerthwatchError as `ObjectStore.get` */
  async read(key: string): Promise<Uint8Array> {
    try {
      return await readObject(this.store, key);
    } catch (error) {
      const before = error instanceof BerthwatchError && error.kind === 'not-found' && this.#before ? await readObject(this.#before, key).catch(() => null) : null;
      if (before) return before;
      throw error;
    }
  }
}

function readCertificates(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new BerthwatchError('bad-input', 'CONFIG_S3', `cannot read the certificates ${file} (objects.s3.caFile, S3_CA_FILE): ${messageOf(cause)}`, { cause });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new BerthwatchError('bad-input', 'CONFIG_S3', `${file} (objects.s3.caFile, S3_CA_FILE) holds no certificate in PEM`);
  return text;
}
