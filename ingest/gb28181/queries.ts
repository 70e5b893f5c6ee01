import { BerthwatchError } from '../../base/errors.js';
import { CatalogCollector, type CatalogResult } from './catalog.js';
import type { Device } from './device.js';
import { PresetCollector, readDeviceCondition, readMobilePosition, readResult, type DeviceCondition, type MobilePosition, type PresetResult } from './device-answers.js';
import { ConfigCollector, type ConfigType, type DeviceConfigResult } from './device-config.js';
import { readDeviceInfo, type DeviceInfo } from './device-info.js';
import type { Exchange } from './exchange.js';
import type { ManscdpField } from './manscdp.js';
import type { PartsCollector, PartsResult } from './parts-collector.js';
import { RecordCollector, recordQueryFields, type RecordQuery, type RecordResult } from './record-info.js';
import { childOf, type XmlElement } from './xml.js';

/** What devices can be asked (GB/T 28181-2016 9.5 and 9.7). Each rejects as `Exchange.ask` says, and with `conflict` for Result ERROR. */
export class Queries {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** A part of the list is a result with `complete: false`. */
  catalog(device: Device): Promise<CatalogResult> {
    return this.#list(device, 'Catalog', device.id, [], new CatalogCollector(), 'DeviceList');
  }

  /** A part of the list is a result with `complete: false`. @throws BerthwatchError bad-input for a period that ends before it begins */
  async records(device: Device, query: RecordQuery): Promise<RecordResult> {
    if (!(query.from < query.to)) throw new BerthwatchError('bad-input', 'GB_RECORD_PERIOD', 'the period of recordings must begin before it ends');
    return this.#list(device, 'RecordInfo', query.channelId, recordQueryFields(query), new RecordCollector(), 'RecordList');
  }

  presets(device: Device, channelId: string): Promise<PresetResult> {
    return this.#list(device, 'PresetQuery', channelId, [], new PresetCollector(), 'PresetList');
  }

  deviceInfo(device: Device): Promise<DeviceInfo> {
    return this.#one(device, 'DeviceInfo', device.id, [], readDeviceInfo);
  }

  condition(device: Device, about: string): Promise<DeviceCondition> {
    return this.#one(device, 'DeviceStatus', about, [], readDeviceCondition);
  }

  /** Null where the device answers without a place. */
  position(device: Device, channelId: string): Promise<MobilePosition | null> {
    return this.#one(device, 'MobilePosition', channelId, [['Interval', 5]], readMobilePosition);
  }

  async config(device: Device, types: readonly ConfigType[]): Promise<DeviceConfigResult> {
    const collector = new ConfigCollector(types);
    await this.#exchange.ask(device, {
      root: 'Query',
      cmdType: 'ConfigDownload',
      fields: [['ConfigType', types.join('/')]],
      take: (element) => {
        collector.add(element);
        return collector.done;
      },
    });
    return collector.result(device.id);
  }

  /** A list of which parts were lost is asked for once more: another loss rarely takes the same ones. */
  async #list<T>(device: Device, cmdType: string, about: string, fields: readonly ManscdpField[], collector: PartsCollector<T>, list: string): Promise<PartsResult<T>> {
    let refused = false;
    const ask = (): Promise<void> =>
      this.#exchange.ask(device, {
        root: 'Query',
        cmdType,
        about,
        fields,
        take: (element) => {
          refused = readResult(element) === false && !childOf(element, list);
          if (!refused) collector.add(element);
          return refused || collector.done;
        },
      });
    await ask();
    if (refused) throw errorResult(device, cmdType);
    if (collector.done) return collector.result();
    const partial = collector.result();
    collector.again();
    try {
      await ask();
    } catch {
      return partial;
    }
    const both = collector.result();
    // A second answer that refuses, or announces less than is there already, proves nothing.
    return refused || both.total < both.items.length ? partial : both;
  }

  async #one<T>(device: Device, cmdType: string, about: string, fields: readonly ManscdpField[], read: (element: XmlElement) => T): Promise<T> {
    const answers: XmlElement[] = [];
    await this.#exchange.ask(device, { root: 'Query', cmdType, about, fields, take: (element) => answers.push(element) > 0 });
    const answer = answers[0] as XmlElement;
    // DeviceInfo and the like may say ERROR and still tell what they know; a bare ERROR tells nothing.
    if (readResult(answer) === false && answer.children.length <= 4) throw errorResult(device, cmdType);
    return read(answer);
  }
}

export function errorResult(device: Device, cmdType: string): BerthwatchError {
  return new BerthwatchError('conflict', 'GB_NOT_SUPPORTED', `device ${device.id} answered ${cmdType} with ERROR: it cannot do this, or not for this channel; its own log says more`, { detail: { deviceId: device.id, cmdType } });
}
