import { buildControl, type ControlCommand } from './controls.js';
import type { Device } from './device.js';
import { readResult } from './device-answers.js';
import { basicParamFields, type BasicParamChange } from './device-config.js';
import type { GbEmitter } from './events.js';
import type { Exchange } from './exchange.js';
import type { ManscdpField } from './manscdp.js';
import { errorResult } from './queries.js';

/** How a configuration is known to have been taken: the device said so, or it registered anew, as some do without a word. */
export type ConfigOutcome = 'confirmed' | 're-registered';

/** DeviceControl and DeviceConfig (GB/T 28181-2016 9.3): what devices can be told. */
export class Commands {
  readonly #exchange: Exchange;
  readonly #events: GbEmitter;

  constructor(exchange: Exchange, events: GbEmitter) {
    this.#exchange = exchange;
    this.#events = events;
  }

  /**
   * Resolves when the device has confirmed the command, or for commands without a Response has taken it.
   * @throws BerthwatchError bad-input, unavailable, or conflict where the device says ERROR
   */
  async control(device: Device, about: string, command: ControlCommand): Promise<void> {
    const { fields, answered } = buildControl(command, { gbVersion: device.spokenVersion, keyFrameCommand: device.settings.keyFrameCommand ?? null });
    if (!answered) return this.#exchange.tell(device, { root: 'Control', cmdType: 'DeviceControl', about, fields });
    await this.#confirmed(device, 'DeviceControl', about, fields);
  }

  /** Sets the basic parameters of a device; some apply them and register anew without answering, which counts as done. */
  async configure(device: Device, change: BasicParamChange): Promise<ConfigOutcome> {
    const fields = basicParamFields(change);
    let outcome: ConfigOutcome = 'confirmed';
    let off: () => void = () => undefined;
    const registeredAnew = new Promise<void>((resolve) => {
      off = this.#events.on('registered', ({ device: { id } }) => {
        if (id !== device.id) return;
        outcome = 're-registered';
        resolve();
      });
    });
    try {
      await this.#confirmed(device, 'DeviceConfig', device.id, fields, registeredAnew);
    } finally {
      off();
    }
    return outcome;
  }

  /** Tells a 2022 device to take and upload pictures (9.14). */
  async snapshot(device: Device, about: string, fields: ManscdpField[]): Promise<void> {
    await this.#confirmed(device, 'DeviceConfig', about, [['SnapShotConfig', fields]]);
  }

  async #confirmed(device: Device, cmdType: string, about: string, fields: readonly ManscdpField[], until?: Promise<unknown>): Promise<void> {
    let failed = false;
    await this.#exchange.ask(device, {
      root: 'Control',
      cmdType,
      about,
      fields,
      take: (element) => {
        failed = readResult(element) === false;
        return true;
      },
      ...(until ? { until } : {}),
    });
    if (failed) throw errorResult(device, cmdType);
  }
}
