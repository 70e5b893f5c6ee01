import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { Objects } from '../archive/open-objects.js';
import { readConfig, type Config } from './config.js';
import { isArchiving } from './objects.js';

describe('objects in the configuration', () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'bw-objects-'))));
  afterAll(() => rmSync(folder, { recursive: true }));
  const read = (text: string, environment: NodeJS.ProcessEnv = {}): Config => {
    const file = join(folder, 'berthwatch.yaml');
    writeFileSync(file, text);
    return readConfig(file, environment);
  };
  const archiving = (config: Config): boolean => isArchiving(config.objects, config.footage.archive);
  const BUCKET = { S3_BUCKET: 'footage', S3_ENDPOINT: 'https://s3.example.com', S3_ACCESS_KEY: 'key', S3_SECRET_KEY: 'secret' };

  it('keeps files in the data folder, and archives nothing, unless told', () => {
    const config = read('');
    expect(config.objects.kind).toBe('files');
    expect(archiving(config)).toBe(false);
    expect(new Objects(config, systemClock).store.place).toBe(`folder ${join(folder, 'data', 'objects')}`);
    const other = read('objects: { folder: ../nas }');
    expect(archiving(other)).toBe(true);
    expect(new Objects(other, systemClock).store.place).toBe(`folder ${join(folder, '..', 'nas')}`);
  });

  it('takes a bucket from the environment, over what the file says', () => {
    const config = read('objects: { s3: { region: eu-1, partSize: 16M, timeout: 5s } }\nfootage: { local: { window: 7d }, archive: { order: newest, bandwidth: 20M } }', { ...BUCKET, S3_PREFIX: '/site-1/', S3_PATH_STYLE: 'false' });
    expect(config.objects).toMatchObject({ kind: 's3', s3: { endpoint: 'https://s3.example.com', region: 'eu-1', bucket: 'footage', prefix: 'site-1', pathStyle: false, partSize: 16 * 1024 * 1024, timeout: 5_000 } });
    expect(config.footage).toMatchObject({ local: { window: 7 * 86_400_000, bytes: null }, archive: { order: 'newest', bandwidth: 20 * 1024 * 1024 } });
    expect(archiving(config)).toBe(true);
    expect(new Objects(config, systemClock).store.place).toBe('bucket footage/site-1 at https://s3.example.com');
    // Empty ones, as compose files leave them, are none.
    expect(read('', { S3_BUCKET: '', S3_ENDPOINT: '' }).objects.kind).toBe('files');
  });

  it('says what is missing or wrong, by both names, and never a secret', () => {
    expect(() => read('', { S3_BUCKET: 'footage' })).toThrow(/objects\.s3\.endpoint \(S3_ENDPOINT\), objects\.s3\.accessKey \(S3_ACCESS_KEY\), objects\.s3\.secretKey \(S3_SECRET_KEY\) are not set/);
    expect(() => read('', { ...BUCKET, S3_BUCKET: 'No_Bucket' })).toThrow(/must be a bucket name/);
    expect(() => read('', { ...BUCKET, S3_PATH_STYLE: 'maybe' })).toThrow(/S3_PATH_STYLE is "maybe"/);
    expect(() => read('', { ...BUCKET, S3_PREFIX: 'a/../b c' })).toThrow(/prefix/);
    expect(() => read('footage: { local: { window: 7d } }')).toThrow(/footage\.local frees the disk of what is archived, but nothing is/);
    expect(() => new Objects(read('', { ...BUCKET, S3_ENDPOINT: 'https://user:hidden@s3.example.com' }), systemClock)).toThrow(/must be like https/);
    expect(() => new Objects(read('', { ...BUCKET, S3_ENDPOINT: 'https://user:hidden@s3.example.com' }), systemClock)).not.toThrow(/hidden/);
    expect(() => new Objects(read('', { ...BUCKET, S3_CA_FILE: 'missing.pem' }), systemClock)).toThrow(/cannot read the certificates .*missing\.pem/);
    expect(() => new Objects(read('objects: { s3: { partSize: 1M } }', BUCKET), systemClock)).toThrow(/no parts below/);
  });
});
