import { BerthwatchError } from '../../../base/errors.js';
import type { FuzzTarget } from '../../../base/fuzz-target.js';
import { readCompleted, readCopied, readDeleteErrors, readEnabled, readError, readObjectList, readPartList, readRetention, readUploadId, readUploadList } from './s3-xml.js';

/** Runs a reader; only the error that is meant for answers of no S3 server may come out of it. */
function guarded<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof BerthwatchError && error.code === 'OBJECT_STORE_ANSWER') return null;
    throw error;
  }
}

const isText = (value: unknown): boolean => typeof value === 'string';

export const target: FuzzTarget = {
  name: 's3-xml',
  corpusDir: 'storage/objects/corpus/s3-xml',
  run(input) {
    const xml = Buffer.from(input).toString('utf8');
    const error = readError(xml);
    if (error && (!isText(error.code) || error.code === '' || !isText(error.message))) throw new Error('an error without words');
    for (const object of guarded(() => readObjectList(xml))?.objects ?? []) {
      if (!isText(object.key) || object.key === '' || !Number.isSafeInteger(object.size) || object.size < 0 || !Number.isFinite(object.storedAt)) throw new Error(`an object that cannot be: ${JSON.stringify(object)}`);
    }
    for (const upload of guarded(() => readUploadList(xml))?.uploads ?? []) if (!isText(upload.key) || !isText(upload.uploadId) || upload.uploadId === '') throw new Error('an upload without a name');
    for (const part of guarded(() => readPartList(xml))?.parts ?? []) if (!Number.isSafeInteger(part.part) || part.part < 1 || /["&]/.test(part.etag.replace(/&(?!quot;|#34;)/g, ''))) throw new Error(`a part that cannot be: ${JSON.stringify(part)}`);
    const id = guarded(() => readUploadId(xml));
    if (id === '') throw new Error('an upload without an id');
    guarded(() => readCompleted(xml));
    guarded(() => readCopied(xml));
    guarded(() => readDeleteErrors(xml));
    const until = guarded(() => readRetention(xml));
    if (until !== null && !(until > 0)) throw new Error('a lock that ended before it began');
    guarded(() => readEnabled(xml, 'VersioningConfiguration'));
  },
};
