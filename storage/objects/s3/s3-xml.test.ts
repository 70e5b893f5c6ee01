import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutations } from '../../../base/fuzz-target.js';
import { program } from '../../../base/program-root.js';
import { target } from './s3-xml.fuzz.js';
import { readError, readObjectList, readPartList, readUploadId, readUploadList } from './s3-xml.js';

const folder = join(program.root, target.corpusDir);
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('answers of S3 servers', () => {
  it('are read as text: keys and ids may look like numbers', () => {
    expect(readObjectList(read('list.xml'))).toEqual({ objects: [{ key: '0010', size: 7, storedAt: 1_767_225_600_000 }], truncated: true });
    expect(readUploadId(read('initiated.xml'))).toBe('12345678901234567890');
    expect(readUploadList(read('uploads.xml'))).toEqual({ uploads: [{ key: 'footage/a', uploadId: 'NjU0', begunAt: 1_767_225_600_000 }], next: { key: 'k', uploadId: 'u' } });
    expect(readPartList(read('parts.xml'))).toEqual({ parts: [{ part: 1, etag: '9a0364b9e99bb480dd25e1f0284c8555', size: 5_242_880 }], next: null });
    expect(readError(read('error.xml'))).toMatchObject({ code: 'SlowDown', region: 'eu-central-1' });
  });

  it('expand no entities, and are refused where they are none', () => {
    expect(readError(read('entities.xml'))?.code ?? '').not.toContain('aaaa');
    for (const other of ['', 'hello', '<html><body>404</body></html>', '{"a":1}']) {
      expect(() => readObjectList(other)).toThrow(/is this an S3 server/);
      expect(readError(other)).toBeNull();
    }
  });

  it('keep their promises whatever comes', () => {
    const corpus = readdirSync(folder).map((file) => new Uint8Array(readFileSync(join(folder, file))));
    for (const input of corpus) target.run(input);
    const inputs = mutations(corpus, 5);
    for (let i = 0; i < 3_000; i++) {
      const { value } = inputs.next();
      try {
        target.run(value);
      } catch (error) {
        throw new Error(`case ${i}: ${Buffer.from(value).toString('base64').slice(0, 4_000)}`, { cause: error });
      }
    }
  });
});
