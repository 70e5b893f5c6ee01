import { BerthwatchError } from '../../base/errors.js';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { alarmWords, readAlarm } from './alarm.js';
import { applyCatalogNotify } from './catalog-events.js';
import { CatalogCollector } from './catalog.js';
import { PresetCollector, readDeviceCondition, readMobilePosition } from './device-answers.js';
import { ConfigCollector } from './device-config.js';
import { readDeviceInfo } from './device-info.js';
import { buildManscdp, parseManscdp } from './manscdp.js';
import { RecordCollector } from './record-info.js';
import { readSnapshotName } from './snapshot-name.js';
import type { XmlElement } from './xml.js';

/** Each reader's promise, whatever it is given. */
function readTheRest(element: XmlElement): void {
  const records = new RecordCollector();
  records.add(element);
  for (const { startsAt, endsAt, bytes } of records.result().items) {
    if (!Number.isFinite(startsAt) || !Number.isFinite(endsAt) || (bytes !== null && bytes < 0)) throw new Error('a recording without times was let through');
  }
  const presets = new PresetCollector();
  presets.add(element);
  if (presets.result().items.some(({ number }) => !Number.isInteger(number))) throw new Error('a preset without a number was let through');
  const config = new ConfigCollector(['BasicParam']);
  config.add(element);
  if (({} as Record<string, unknown>)['x'] !== undefined) throw new Error('a configuration reached the prototype of all objects');
  const alarm = readAlarm(element, 'device', 0);
  if (alarmWords(alarm) === '' || (alarm.latitude !== null && Math.abs(alarm.latitude) > 90)) throw new Error('an alarm from nowhere was let through');
  const position = readMobilePosition(element);
  if (position && !(Math.abs(position.longitude) <= 180)) throw new Error('a place outside of the earth was let through');
  readDeviceCondition(element);
  applyCatalogNotify([], element);
  readSnapshotName(element.text);
}

/** MANSCDP bodies: charset, XML with its repair, and the readers of what we ask for. */
export const target: FuzzTarget = {
  name: 'manscdp',
  corpusDir: 'ingest/gb28181/corpus/manscdp',
  run(input) {
    let message;
    try {
      message = parseManscdp(input);
    } catch (error) {
      if (error instanceof BerthwatchError && error.kind === 'bad-input') return;
      throw error;
    }
    const collector = new CatalogCollector();
    collector.add(message.element);
    const { items, total } = collector.result();
    if (items.some((item) => item.id === '' || item.id.length > 64) || !Number.isInteger(total)) throw new Error('the catalogue reader let nonsense through');
    readDeviceInfo(message.element);
    readTheRest(message.element);
    // What a device wrote must survive our own writing. ASCII only: short Chinese texts can be ambiguous between charsets.
    const name = message.deviceId ?? '';
    if (!/^[ -~]*$/.test(name)) return;
    const again = parseManscdp(buildManscdp('Query', 'Catalog', 1, name, [], 'GB18030'));
    if ((again.deviceId ?? '') !== name.trim()) throw new Error(`"${name}" came back as "${again.deviceId}"`);
  },
};
