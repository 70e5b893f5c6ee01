import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { clipHeader, clipType, ClipTrack, type ClipSample } from '../../../storage/playback/clip-file.js';
import { fitDurations, type TrackFragment } from '../../../storage/playback/fragment-tracks.js';
import type { InitTrack } from '../../../storage/playback/init-segment.js';

const MDAT_HEADER = 16;

/** Fragments on their way into a clip: video of one, sound of the same or another. */
export interface ClipGop {
  video: { bytes: Buffer; track: TrackFragment };
  sound: { bytes: Buffer; track: TrackFragment; videoStart: number } | null;
  /** 90 kHz ticks until what follows; null: as long as the stream said. */
  ticks: number | null;
}

/**
 * Writes an MP4 file for everybody: header first (players and browsers can begin before they have all), samples as they are stored. One pass over
 * the footage: room for the header is left free, and filled in when all is known; memory holds the tables alone.
 */
export class ClipWriter {
  readonly #file: FileHandle;
  readonly #room: number;
  readonly #video: ClipTrack;
  readonly #sound: ClipTrack | null;
  #media = 0;
  #soundStart: number | null = null;

  private constructor(file: FileHandle, room: number, tracks: readonly InitTrack[]) {
    this.#file = file;
    this.#room = room;
    this.#video = new ClipTrack(tracks.find((track) => track.kind === 'video') as InitTrack);
    const sound = tracks.find((track) => track.kind === 'audio');
    this.#sound = sound ? new ClipTrack(sound) : null;
  }

  static async create(path: string, tracks: readonly InitTrack[], room: number): Promise<ClipWriter> {
    return new ClipWriter(await open(path, 'w', 0o640), room, tracks);
  }

  /** Ticks of the video so far, 90 kHz. */
  get ticks(): number {
    return this.#video.duration;
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#room + MDAT_HEADER + this.#media;
  }

  /** The video's parameter sets are others from here on. */
  mix(): void {
    this.#video.mixed = true;
  }

  async append({ video, sound, ticks }: ClipGop): Promise<void> {
    const begins = this.ticks;
    const samples = video.track.samples;
    const own = samples.map((sample) => sample.duration);
    const durations = ticks === null ? own : fitDurations(own, ticks);
    this.#video.append(
      samples.map((sample, i): ClipSample => ({ size: sample.to - sample.from, duration: durations[i] as number, compositionOffset: sample.compositionOffset, sync: sample.sync })),
      this.#media,
    );
    await this.#write(video.bytes, video.track);
    if (!sound || !this.#sound || sound.track.samples.length === 0) return;
    const { timescale } = this.#sound.format;
    // Where the sound begins beside its pictures; the sample before it is made to last until then, so that the two never drift apart.
    const start = Math.round((begins * timescale) / 90_000) + sound.track.decodeTime - Math.round((sound.videoStart * timescale) / 90_000);
    this.#soundStart ??= start;
    this.#sound.fill(start - this.#soundStart);
    this.#sound.append(sound.track.samples.map((sample) => ({ size: sample.to - sample.from, duration: sample.duration, compositionOffset: 0, sync: true })), this.#media);
    await this.#write(sound.bytes, sound.track);
  }

  /**
   * Finishes the file and makes it durable.
   *
   * @param skip 90 kHz ticks at the beginning that are not shown, `cut` at the end
   */
  async finish(options: { skip: number; cut: number; createdAt: number }): Promise<void> {
    const sound = this.#sound && this.#sound.sizes.length > 0 ? this.#sound : null;
    const soundStart = sound ? Math.round(((this.#soundStart ?? 0) * 90_000) / sound.format.timescale) : 0;
    const plan = {
      tracks: sound ? [this.#video, sound] : [this.#video],
      skip: options.skip,
      shown: Math.max(1, this.ticks - options.skip - options.cut),
      startOf: (track: ClipTrack) => (track === sound ? soundStart : 0),
      createdAt: options.createdAt,
      mediaAt: this.#room + MDAT_HEADER,
    };
    const head = Buffer.concat([clipType(), clipHeader(plan)]);
    const free = this.#room - head.length;
    // Eight bytes are the least that a box of filling takes. A header that turned out too large goes to the end: slower to begin with, as good to play.
    if (free === 0 || free >= 8) await this.#at(0, free === 0 ? head : Buffer.concat([head, box('free', free), Buffer.alloc(free - 8)]));
    else {
      const type = clipType();
      await this.#at(0, Buffer.concat([type, box('free', this.#room - type.length)]));
      await this.#at(this.bytes, clipHeader(plan));
    }
    const mdat = Buffer.alloc(MDAT_HEADER);
    mdat.writeUInt32BE(1, 0);
    mdat.write('mdat', 4, 'latin1');
    mdat.writeBigUInt64BE(BigInt(MDAT_HEADER + this.#media), 8);
    await this.#at(this.#room, mdat);
    await this.#file.sync();
    await this.close();
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  async #write(bytes: Buffer, track: TrackFragment): Promise<void> {
    const [first] = track.samples;
    const last = track.samples.at(-1);
    if (!first || !last) return;
    const part = bytes.subarray(first.from, last.to);
    await this.#at(this.bytes, part);
    this.#media += part.length;
  }

  async #at(position: number, bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) done += (await this.#file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

function box(type: string, size: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(size, 0);
  head.write(type, 4, 'latin1');
  return head;
}

/** SHA-256 of a file as it lies on the disk, hexadecimal, and its bytes. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
