import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Flow } from '../sip/flow.js';
import type { Commands } from './commands.js';
import type { Device } from './device.js';
import type { GbEmitter } from './events.js';
import { editionOf } from './gb-version.js';
import type { Snapshot, SnapshotUploads } from './snapshot-uploads.js';

export interface SnapshotTakerOptions {
  clock: Clock;
  /** The host under which a device sees us. */
  hostOf: (flow: Flow) => string;
  uploads: SnapshotUploads | null;
}

/** The upload may still be under way when the device says that it has finished. */
const AFTER_FINISHED_MS = 3000;
const SNAPSHOT = 'snapshot';

/** Snapshots of the 2022 edition (9.14): DeviceConfig with SnapShotConfig, an upload by HTTP, and UploadSnapShotFinished. */
export class SnapshotTaker {
  readonly #options: SnapshotTakerOptions;
  readonly #commands: Commands;
  readonly #events: GbEmitter;

  constructor(options: SnapshotTakerOptions, commands: Commands, events: GbEmitter) {
    this.#options = options;
    this.#commands = commands;
    this.#events = events;
  }

  /** @throws BerthwatchError conflict where the device cannot, unavailable where nothing came in time */
  async take(device: Device, channelId: string, timeoutMs: number): Promise<Snapshot> {
    const { uploads, hostOf, clock } = this.#options;
    const cannot = (why: string): BerthwatchError => new BerthwatchError('conflict', 'GB_NOT_SUPPORTED', `device ${device.id} takes no snapshots: ${why}`, { detail: { deviceId: device.id } });
    if (!uploads) throw cannot('this server receives none (gb28181.snapshot)');
    if (editionOf(device.spokenVersion) !== '2022') throw cannot(`it speaks the ${editionOf(device.spokenVersion)} edition; snapshots came with that of 2022`);
    if (device.unsupported.has(SNAPSHOT)) throw cannot('it has answered so before');
    const ticket = uploads.open(channelId);
    const tooLate = `device ${device.id} took the snapshot command but uploaded no picture in ${timeoutMs} ms: check that it can reach ${uploads.url(ticket, hostOf(device.flow)).split('/').slice(0, 3).join('/')}`;
    const cancel = clock.after(timeoutMs, () => ticket.cancel(tooLate));
    const off = this.#events.on('snapshotFinished', ({ deviceId, sessionId }) => {
      if (deviceId !== device.id || sessionId !== ticket.sessionId) return;
      void sleep(clock, AFTER_FINISHED_MS).then(() => ticket.cancel(`device ${device.id} says that it uploaded the snapshot, but none came: check that it can reach this server by HTTP`));
    });
    try {
      const told = this.#commands.snapshot(device, channelId, [
        ['SnapNum', 1],
        ['Interval', 1],
        ['UploadURL', uploads.url(ticket, hostOf(device.flow))],
        ['SessionID', ticket.sessionId],
      ]);
      // A quick device uploads before it answers: the picture is what counts.
      const refused = told.then(
        () => ticket.picture,
        (error: unknown) => {
          if (error instanceof BerthwatchError && error.code === 'GB_NOT_SUPPORTED') device.unsupported.add(SNAPSHOT);
          throw error;
        },
      );
      return await Promise.race([ticket.picture, refused]);
    } finally {
      off();
      cancel();
      ticket.cancel('the snapshot is over');
    }
  }
}
