import { XMLParser } from 'fast-xml-parser';
import { BerthwatchError } from '../../../base/errors.js';

/**
 * What servers answer, read from XML of a bounded size. Numbers stay text until they are asked for (a key may look like one),
 * entities stay as they are (keys and ids of ours hold none, ETags only quotation marks).
 */
const parser = new XMLParser({ parseTagValue: false, parseAttributeValue: false, ignoreAttributes: true, processEntities: false, trimValues: true, maxNestedTags: 16 });

type Tree = { [name: string]: unknown };

function parse(xml: string, root: string): Tree {
  const wrong = (): BerthwatchError => new BerthwatchError('unavailable', 'OBJECT_STORE_ANSWER', `the server’s answer is no ${root}: is this an S3 server?`);
  let tree: unknown;
  try {
    tree = parser.parse(xml);
  } catch {
    throw wrong();
  }
  const found = isTree(tree) ? tree[root] : undefined;
  if (found === '') return {};
  if (!isTree(found)) throw wrong();
  return found;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value: unknown): Tree[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]).filter(isTree);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const time = (value: unknown): number => {
  const ms = Date.parse(text(value));
  return Number.isNaN(ms) ? 0 : ms;
};
const count = (value: unknown): number => (/^\d{1,15}$/.test(text(value)) ? Number(text(value)) : -1);

/** The checksum in an ETag, without its quotation marks. */
export function bareEtag(etag: string): string {
  return etag.replace(/&quot;|&#34;|"/g, '').trim();
}

/** Of an error's body; null where it is none. */
export function readError(xml: string): { code: string; message: string; region: string | null } | null {
  try {
    const tree = parse(xml, 'Error');
    const region = text(tree.Region);
    return text(tree.Code) === '' ? null : { code: text(tree.Code), message: text(tree.Message), region: region === '' ? null : region };
  } catch {
    return null;
  }
}

export interface ListedObject {
  key: string;
  size: number;
  /** Unix ms. */
  storedAt: number;
}

/** ListObjectsV2. @throws BerthwatchError unavailable */
export function readObjectList(xml: string): { objects: ListedObject[]; truncated: boolean } {
  const tree = parse(xml, 'ListBucketResult');
  const objects = list(tree.Contents).map((entry) => ({ key: text(entry.Key), size: count(entry.Size), storedAt: time(entry.LastModified) }));
  return { objects: objects.filter((object) => object.key !== '' && object.size >= 0), truncated: text(tree.IsTruncated) === 'true' };
}

/** ListMultipartUploads. @throws BerthwatchError unavailable */
export function readUploadList(xml: string): { uploads: { key: string; uploadId: string; begunAt: number }[]; next: { key: string; uploadId: string } | null } {
  const tree = parse(xml, 'ListMultipartUploadsResult');
  const uploads = list(tree.Upload).map((entry) => ({ key: text(entry.Key), uploadId: text(entry.UploadId), begunAt: time(entry.Initiated) }));
  const next = text(tree.IsTruncated) === 'true' ? { key: text(tree.NextKeyMarker), uploadId: text(tree.NextUploadIdMarker) } : null;
  return { uploads: uploads.filter((upload) => upload.key !== '' && upload.uploadId !== ''), next };
}

/** ListParts. @throws BerthwatchError unavailable */
export function readPartList(xml: string): { parts: { part: number; etag: string; size: number }[]; next: number | null } {
  const tree = parse(xml, 'ListPartsResult');
  const parts = list(tree.Part).map((entry) => ({ part: count(entry.PartNumber), etag: bareEtag(text(entry.ETag)), size: count(entry.Size) }));
  const marker = count(tree.NextPartNumberMarker);
  return { parts: parts.filter((part) => part.part > 0), next: text(tree.IsTruncated) === 'true' && marker > 0 ? marker : null };
}

/** InitiateMultipartUpload. @throws BerthwatchError unavailable */
export function readUploadId(xml: string): string {
  const id = text(parse(xml, 'InitiateMultipartUploadResult').UploadId);
  if (id === '') throw new BerthwatchError('unavailable', 'OBJECT_STORE_ANSWER', 'the server began an upload and gave no id of it');
  return id;
}

/** CompleteMultipartUpload; its answer may be an error although its status is 200. @throws BerthwatchError unavailable */
export function readCompleted(xml: string): { etag: string } | { code: string; message: string; region: string | null } {
  const error = readError(xml);
  return error ?? { etag: bareEtag(text(parse(xml, 'CompleteMultipartUploadResult').ETag)) };
}

/** CopyObject, whose answer may be an error as well. @throws BerthwatchError unavailable */
export function readCopied(xml: string): { etag: string } | { code: string; message: string; region: string | null } {
  const error = readError(xml);
  return error ?? { etag: bareEtag(text(parse(xml, 'CopyObjectResult').ETag)) };
}

/** DeleteObjects: what could not be deleted. @throws BerthwatchError unavailable */
export function readDeleteErrors(xml: string): { key: string; code: string; message: string }[] {
  return list(parse(xml, 'DeleteResult').Error).map((entry) => ({ key: text(entry.Key), code: text(entry.Code), message: text(entry.Message) }));
}

/** GetObjectRetention: Unix ms; null where there is none. @throws BerthwatchError unavailable */
export function readRetention(xml: string): number | null {
  const until = time(parse(xml, 'Retention').RetainUntilDate);
  return until > 0 ? until : null;
}

/** GetBucketVersioning / GetObjectLockConfiguration: whether it says `Enabled`. @throws BerthwatchError unavailable */
export function readEnabled(xml: string, root: 'VersioningConfiguration' | 'ObjectLockConfiguration'): boolean {
  const tree = parse(xml, root);
  return text(tree.Status) === 'Enabled' || text(tree.ObjectLockEnabled) === 'Enabled';
}
