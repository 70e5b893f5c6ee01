import { createWriteStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { beijingCompact, beijingIso } from '../../../base/beijing-time.js';
import { BerthwatchError, messageOf } from '../../../base/errors.js';
import { program } from '../../../base/program-root.js';
import { diskError } from '../../../storage/disk-error.js';
import { makeClip, type ClipFacts, type ClipParts } from './clip.js';
import { hashFile } from './clip-writer.js';
import type { Made } from './export-jobs.js';

/** What an export of a visit needs of it. */
export interface VisitDossier {
  uid: string;
  cameraId: string;
  cameraName: string;
  berthNumber: string;
  /** As people read it, 未识别 where it is not known. */
  plate: string;
  enteredAt: number;
  leftAt: number | null;
  /** Everything that is kept of the visit, as JSON. */
  record: unknown;
  pictures: { id: string; role: string; kind: string; takenAt: number; bytes: number; sha256: string }[];
}

export interface VisitZipOptions {
  /** Footage before and behind enter and leave, ms. */
  beforeMs: number;
  afterMs: number;
  /** One clip of the whole stay instead. */
  wholeStay: boolean;
  watermark: string | null;
}

export interface VisitZipParts extends ClipParts {
  picture: (id: string) => Promise<Uint8Array | null>;
}

interface Entry {
  name: string;
  bytes: number;
  sha256: string;
  what: string;
}

/** The clips of a visit, with the name that each has in the ZIP. */
export function clipsOf(visit: Pick<VisitDossier, 'enteredAt' | 'leftAt'>, options: VisitZipOptions, now: number): { name: string; from: number; to: number; what: string }[] {
  const { beforeMs, afterMs } = options;
  const { enteredAt, leftAt } = visit;
  const end = leftAt ?? now;
  // Clips that touch are one.
  if (options.wholeStay || (leftAt !== null && leftAt - beforeMs <= enteredAt + afterMs)) {
    return [{ name: leftAt === null ? '停车全程-至今' : '停车全程', from: enteredAt - beforeMs, to: Math.min(now, end + (leftAt === null ? 0 : afterMs)), what: 'the whole stay' }];
  }
  const enter = { name: '入场', from: enteredAt - beforeMs, to: Math.min(now, enteredAt + afterMs), what: 'enter' };
  return leftAt === null ? [enter] : [enter, { name: '离场', from: leftAt - beforeMs, to: Math.min(now, leftAt + afterMs), what: 'leave' }];
}

/**
 * One ZIP of all that is kept of a visit: clips, pictures, record, and `manifest.json` with the SHA-256 of each file. Footage that is gone is told in
 * the manifest; the rest is exported all the same. Nothing is held in memory but the piece being written.
 *
 * @throws BerthwatchError unavailable, conflict (a picture is not the one that was signed for), or the signal's reason
 */
export async function makeVisitZip(folder: string, visit: VisitDossier, options: VisitZipOptions, parts: VisitZipParts): Promise<Made> {
  const name = `visit-${safe(visit.plate)}-${beijingCompact(visit.enteredAt).slice(0, 14)}-${safe(visit.uid)}.zip`;
  const path = join(folder, name);
  const entries: Entry[] = [];
  const absent: { what: string; reason: string }[] = [];
  const clips: ClipFacts[] = [];
  const zip = new ZipFile();
  const written = pipeline(zip.outputStream as NodeJS.ReadableStream, createWriteStream(path, { mode: 0o640 }), { signal: parts.signal });
  zip.on('error', (error: Error) => (zip.outputStream as unknown as { destroy(error: Error): void }).destroy(error));
  // Told by `await written` below; until then it must not count as unhandled.
  written.catch(() => undefined);
  const mtime = new Date(visit.enteredAt);
  const add = (entryName: string, bytes: Buffer, what: string): void => {
    zip.addBuffer(bytes, entryName, { mtime, compress: false });
    entries.push({ name: entryName, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), what });
  };
  const wanted = clipsOf(visit, options, parts.now());
  const made: string[] = [];
  try {
    for (const [i, clip] of wanted.entries()) {
      const file = join(folder, `${clip.name}.mp4`);
      try {
        const facts = await makeClip(file, { cameraId: visit.cameraId, cameraName: visit.cameraName, from: clip.from, to: clip.to, watermark: options.watermark }, { ...parts, onProgress: (share) => parts.onProgress(((i + share) / wanted.length) * 0.9) });
        clips.push(facts);
        made.push(file, `${file}.json`, `${file}.sha256`);
        zip.addFile(file, `footage/${basename(file)}`, { mtime, compress: false });
        entries.push({ name: `footage/${basename(file)}`, bytes: facts.bytes, sha256: facts.sha256, what: `footage: ${clip.what}` });
        add(`footage/${basename(file)}.json`, Buffer.from(`${JSON.stringify(facts, null, 2)}\n`), 'what the clip shows and what is missing');
      } catch (error) {
        if (parts.signal.aborted || !(error instanceof BerthwatchError) || (error.kind !== 'not-found' && error.kind !== 'conflict')) throw error;
        absent.push({ what: `footage: ${clip.what}`, reason: messageOf(error) });
      }
    }
    for (const [i, picture] of visit.pictures.entries()) {
      const bytes = await parts.picture(picture.id);
      if (bytes === null) {
        absent.push({ what: `picture ${picture.id}`, reason: 'the picture is not in the object store' });
        continue;
      }
      const own = Buffer.from(bytes);
      if (createHash('sha256').update(own).digest('hex') !== picture.sha256) throw new BerthwatchError('conflict', 'EXPORT_EVIDENCE', `picture ${picture.id} of visit ${visit.uid} is not the one that was made: its SHA-256 differs from the catalogue's`);
      add(`pictures/${String(i + 1).padStart(2, '0')}-${beijingCompact(picture.takenAt)}-${safe(picture.role)}-${safe(picture.id)}.jpg`, own, `picture: ${picture.role}`);
    }
    add('record.json', Buffer.from(`${JSON.stringify(visit.record, null, 2)}\n`), 'the record of the visit');
    const manifest = { format: 'berthwatch-visit-export', version: 1, visit: visit.uid, madeAt: `${beijingIso(parts.now())}+08:00`, madeBy: `berthwatch ${program.version}`, files: entries, absent };
    zip.addBuffer(Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), 'manifest.json', { mtime });
    zip.end();
    await written;
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
    parts.onProgress(1);
    const { sha256 } = await hashFile(path, parts.signal);
    return { file: name, bytes: (await stat(path)).size, sha256, facts: { ...manifest, clips } };
  } catch (error) {
    (zip.outputStream as unknown as { destroy(): void }).destroy();
    await written.catch(() => undefined);
    await rm(path, { force: true });
    if (parts.signal.aborted) throw parts.signal.reason;
    throw error instanceof BerthwatchError ? error : diskError(error, path);
  } finally {
    for (const file of made) await rm(file, { force: true });
  }
}

/** Letters, digits and Chinese characters; anything else would need care in some file system. */
const safe = (text: string): string => text.replace(/[^\p{L}\p{N}_-]/gu, '_').slice(0, 60);
