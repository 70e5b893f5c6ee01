import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';
import { duration, size } from './value-types.js';

/** Where pictures, and archived footage, are kept. */
export const ObjectsSchema = z.strictObject({
  /** A folder, or a bucket of any S3 server. Environment: S3_BUCKET makes it s3. */
  kind: z.enum(['files', 's3']).prefault('files'),
  /** Of kind files; null: `objects` in the data folder. */
  folder: z.string().min(1).nullable().prefault(null),
  s3: z
    .strictObject({
      /** https://s3.example.com, http://192.0.2.7:9000: no path, no user. Environment: S3_ENDPOINT. */
      endpoint: z.string().min(1).nullable().prefault(null),
      /** S3_REGION. */
      region: z.string().min(1).max(64).prefault('us-east-1'),
      /** S3_BUCKET. */
      bucket: z
        .string()
        .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be a bucket name: 3 to 63 lower-case letters, digits, "-" and "."')
        .nullable()
        .prefault(null),
      /** S3_ACCESS_KEY, S3_SECRET_KEY: better there than in a file. */
      accessKey: z.string().min(1).nullable().prefault(null),
      secretKey: z.string().min(1).nullable().prefault(null),
      /** In front of every key. S3_PREFIX. */
      prefix: z
        .string()
        .regex(/^(?:[A-Za-z0-9._=+@-]+(?:\/[A-Za-z0-9._=+@-]+)*)?$/, 'parts of A-Z a-z 0-9 . _ = + @ - with "/" between them')
        .max(200)
        .prefault(''),
      /** The bucket in the path of addresses, or (false) before the host's name. S3_PATH_STYLE. */
      pathStyle: z.boolean().prefault(true),
      /** Certificates (PEM) to trust beside the usual ones. S3_CA_FILE. */
      caFile: z.string().min(1).nullable().prefault(null),
      /** Makes the bucket where it is missing. S3_CREATE_BUCKET. */
      createBucket: z.boolean().prefault(false),
      /** A request on which nothing moves for so long has failed. */
      timeout: duration.prefault('30s'),
      /** How often a request is tried before it counts as failed. */
      attempts: z.int().min(1).max(10).prefault(4),
      /** Larger objects are put in parts of this size. */
      partSize: size.prefault('8M'),
    })
    .prefault({}),
});

/** What stays on the disk of footage that is archived; both null: all, until retention removes it. */
export const LocalFootageSchema = z.strictObject({ window: duration.nullable().prefault(null), bytes: size.nullable().prefault(null) });

/** How sealed footage goes to the object store. */
export const ArchiveSchema = z.strictObject({
  /** Null: where objects are kept in a bucket, or in a folder of its own. */
  enabled: z.boolean().nullable().prefault(null),
  /** Which of the waiting segments go first. */
  order: z.enum(['newest', 'oldest']).prefault('oldest'),
  concurrency: z.int().min(1).max(32).prefault(2),
  /** Bytes a second of all uploads together; null: no limit. */
  bandwidth: size.nullable().prefault(null),
  /** Archived footage in memory, for reading. */
  cache: size.prefault('64M'),
  /** Bytes a second that the rolling check of stored footage reads; null: no check. */
  check: size.nullable().prefault('256K'),
});

export type ObjectsConfig = z.output<typeof ObjectsSchema>;
export type ArchiveConfig = z.output<typeof ArchiveSchema>;

/** Lays S3_* over what the file says. @throws BerthwatchError bad-input */
export function withEnvironment(objects: ObjectsConfig, environment: NodeJS.ProcessEnv): ObjectsConfig {
  const text = (name: string): string | undefined => environment[name] || undefined;
  const flag = (name: string): boolean | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false') throw new BerthwatchError('bad-input', 'CONFIG_ENVIRONMENT', `${name} is "${value}": write true or false`);
    return value === 'true';
  };
  const bucket = text('S3_BUCKET');
  const given = { endpoint: text('S3_ENDPOINT'), region: text('S3_REGION'), bucket, accessKey: text('S3_ACCESS_KEY'), secretKey: text('S3_SECRET_KEY'), prefix: text('S3_PREFIX')?.replace(/^\/+|\/+$/g, ''), pathStyle: flag('S3_PATH_STYLE'), caFile: text('S3_CA_FILE'), createBucket: flag('S3_CREATE_BUCKET') };
  const changes = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const result = ObjectsSchema.shape.s3.safeParse({ ...objects.s3, timeout: `${objects.s3.timeout}ms`, partSize: `${objects.s3.partSize}B`, ...changes });
  if (!result.success) throw new BerthwatchError('bad-input', 'CONFIG_ENVIRONMENT', `the environment’s S3_… settings: ${z.prettifyError(result.error)}`);
  return { ...objects, kind: bucket === undefined ? objects.kind : 's3', s3: result.data };
}

/** Checks that span keys. @throws BerthwatchError bad-input */
export function checkObjects(objects: ObjectsConfig, local: z.output<typeof LocalFootageSchema>, archive: ArchiveConfig): void {
  if (objects.kind === 's3') {
    const missing = (['endpoint', 'bucket', 'accessKey', 'secretKey'] as const).filter((key) => objects.s3[key] === null);
    const names = { endpoint: 'S3_ENDPOINT', bucket: 'S3_BUCKET', accessKey: 'S3_ACCESS_KEY', secretKey: 'S3_SECRET_KEY' };
    if (missing.length > 0) throw new BerthwatchError('bad-input', 'CONFIG_S3', `objects are to be kept in a bucket, but ${missing.map((key) => `objects.s3.${key} (${names[key]})`).join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set`);
  }
  if (!isArchiving(objects, archive) && (local.window !== null || local.bytes !== null)) {
    throw new BerthwatchError('bad-input', 'CONFIG_LOCAL', 'footage.local frees the disk of what is archived, but nothing is: set objects.kind to s3 (S3_BUCKET …) or footage.archive.enabled, or use footage.quota to limit the disk');
  }
}

export function isArchiving(objects: ObjectsConfig, archive: ArchiveConfig): boolean {
  return archive.enabled ?? (objects.kind === 's3' || objects.folder !== null);
}
