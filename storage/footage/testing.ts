import { seededRandom } from '../../base/fuzz-target.js';
import type { AccessUnit, Codec } from '../../ingest/access-unit.js';
import { nodeDisk, type Disk, type DiskFile, type DiskSpace } from './disk.js';

/** Parameter sets of our own small encodings (64×48; the second H.264 pair 128×96). */
const SETS: Record<Codec, readonly (readonly string[])[]> = {
  h264: [
    ['67f4000a9196847b0110000003001000000300a0f1226a', '68ef0f192190'],
    ['67f4000a9196820db0110000030001000003000a0f1226a0', '68ef0f192190'],
  ],
  h265: [['40010c01ffff0408000003009e0800000300001e928090', '4201010408000003009e0800000300001e90041062cb255c995e02dc080800100000030010000003005080', '4401c17318310890']],
};

const START_CODE = Buffer.from([0, 0, 0, 1]);

export interface SyntheticOptions {
  cameraId?: string;
  codec?: Codec;
  /** capturedAt of the first unit, Unix ms. */
  startedAt?: number;
  /** pts of the first unit. */
  pts?: number;
  gops?: number;
  unitsPerGop?: number;
  /** Between units. */
  intervalMs?: number;
  /** About the size of a keyframe; other units have a tenth. */
  keyframeBytes?: number;
  seed?: number;
  /** Which of the parameter sets. */
  sets?: number;
}

/** FOR TESTS: access units with real parameter sets and noise for pictures: right for everything but a decoder. */
export function* syntheticUnits(options: SyntheticOptions = {}): Generator<AccessUnit, void, undefined> {
  const { cameraId = 'camera-1', codec = 'h264', startedAt = 1_767_225_600_000, pts = 900_000, gops = 1, unitsPerGop = 5, intervalMs = 200, keyframeBytes = 2_000, seed = 1, sets = 0 } = options;
  const random = seededRandom(seed);
  for (let i = 0; i < gops * unitsPerGop; i++) {
    const keyframe = i % unitsPerGop === 0;
    const size = Math.max(8, Math.floor((keyframe ? keyframeBytes : keyframeBytes / 10) * (0.5 + random())));
    // Bytes from 4 up hold no start code and no zero at the end.
    const slice = Buffer.from(Array.from({ length: size }, () => 4 + Math.floor(random() * 252)));
    const head = codec === 'h264' ? [keyframe ? 0x65 : 0x41] : [keyframe ? 0x26 : 0x02, 0x01];
    slice.set([...head, 0x88]);
    const nals = keyframe ? [...(SETS[codec][sets] as readonly string[]).map((hex) => Buffer.from(hex, 'hex')), slice] : [slice];
    yield { cameraId, codec, keyframe, pts: pts + i * intervalMs * 90, capturedAt: startedAt + i * intervalMs, data: Buffer.concat(nals.flatMap((nal) => [START_CODE, nal])) };
  }
}

/** A disk that fails where a test wants it. `fail` is asked before each operation; what it returns is thrown. */
export class FaultyDisk implements Disk {
  readonly #inner = nodeDisk;
  fail: (operation: string, path: string) => Error | null = () => null;
  /** What an operation waits for before it is done; null: nothing. */
  delay: (operation: string) => Promise<void> | null = () => null;
  /** Operations that changed something, in order. */
  readonly log: string[] = [];

  #ask(operation: string, path: string): void {
    const error = this.fail(operation, path);
    if (error) throw error;
    this.log.push(operation);
  }

  async makeFolder(path: string): Promise<void> {
    this.#ask('makeFolder', path);
    await this.#inner.makeFolder(path);
  }
  async syncFolder(path: string): Promise<void> {
    this.#ask('syncFolder', path);
    await this.#inner.syncFolder(path);
  }
  list(path: string): Promise<string[]> {
    return this.#inner.list(path);
  }
  async create(path: string): Promise<DiskFile> {
    this.#ask('create', path);
    return this.#wrap(await this.#inner.create(path), path);
  }
  async openExisting(path: string): Promise<DiskFile> {
    this.#ask('openExisting', path);
    return this.#wrap(await this.#inner.openExisting(path), path);
  }
  read(path: string, offset: number, length: number): Promise<Buffer> {
    return this.#inner.read(path, offset, length);
  }
  stream(path: string): AsyncIterable<Buffer> {
    return this.#inner.stream(path);
  }
  async rename(from: string, to: string): Promise<void> {
    this.#ask('rename', to);
    await this.#inner.rename(from, to);
  }
  async remove(path: string): Promise<void> {
    this.#ask('remove', path);
    await this.#inner.remove(path);
  }
  /** What the disk says of itself; null: the truth. */
  freeSpace: DiskSpace | null = null;
  space(path: string): Promise<DiskSpace> {
    return this.freeSpace ? Promise.resolve(this.freeSpace) : this.#inner.space(path);
  }

  #wrap(file: DiskFile, path: string): DiskFile {
    const step = async (operation: string, work: () => Promise<void>): Promise<void> => {
      this.#ask(operation, path);
      await this.delay(operation);
      await work();
    };
    return {
      write: async (bytes, position) => {
        const error = this.fail('write', path);
        if (error) {
          // As a full disk does: a part is written.
          await file.write(bytes.subarray(0, bytes.length >> 1), position);
          throw error;
        }
        this.log.push('write');
        await file.write(bytes, position);
      },
      flush: () => step('flush', () => file.flush()),
      named: () => file.named(),
      truncate: (size) => step('truncate', () => file.truncate(size)),
      close: () => file.close(),
    };
  }
}

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}
