/**
 * FOR TESTS: a process that records and follows cameras until it is killed. Its parent sends what to do; it writes a line
 * for each GOP that `follow` gave, before it asks for the next one: `camera segment gop startedAt checksum`.
 */
import { writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { sleep, systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { DatabaseAddress } from '../catalogue/database-address.js';
import { Database } from '../catalogue/database.js';
import { FootageLog } from './footage-log.js';
import { syntheticUnits } from './testing.js';

export interface CrashWriterTask {
  folder: string;
  address: DatabaseAddress;
  cameras: string[];
  /** capturedAt of the first unit, Unix ms. */
  startedAt: number;
  seed: number;
  segmentMs: number;
}

async function record(task: CrashWriterTask): Promise<void> {
  const database = new Database({ address: task.address, clock: systemClock, logger: silentLogger });
  const log = new FootageLog({ folder: task.folder, database, clock: systemClock, logger: silentLogger, segmentMs: task.segmentMs });
  const never = new AbortController().signal;
  await log.start();
  writeSync(1, 'recording\n');
  for (const cameraId of task.cameras) {
    void (async () => {
      for await (const gop of log.follow(cameraId, null, never)) {
        const checksum = (await gop.read()).reduce((sum, unit) => crc32(unit.data, sum), 0);
        writeSync(1, `${cameraId} ${gop.position.segment} ${gop.position.gop} ${gop.startedAt} ${checksum}\n`);
      }
    })();
    void (async () => {
      for (const unit of syntheticUnits({ cameraId, gops: 5_000, unitsPerGop: 3, intervalMs: 100, startedAt: task.startedAt, seed: task.seed })) {
        log.append(unit);
        // The first camera has sound.
        if (cameraId === task.cameras[0]) log.appendAudio({ cameraId, codec: 'g711a', sampleRate: 8000, channels: 1, config: null, pts: unit.pts, capturedAt: unit.capturedAt, data: Buffer.alloc(800, unit.data[unit.data.length - 1]) });
        await sleep(systemClock, 2);
      }
    })();
  }
}

process.once('message', (task) => void record(task as CrashWriterTask));
process.once('disconnect', () => process.exit());
