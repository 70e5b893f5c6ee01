import { BerthwatchError } from '../../base/errors.js';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { CatalogCollector } from './catalog.js';
import { readDeviceInfo } from './device-info.js';
import { buildManscdp, parseManscdp } from './manscdp.js';

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
    // What a device wrote must survive our own writing. ASCII only: short Chinese texts can be ambiguous between charsets.
    const name = message.deviceId ?? '';
    if (!/^[ -~]*$/.test(name)) return;
    const again = parseManscdp(buildManscdp('Query', 'Catalog', 1, name, [], 'GB18030'));
    if ((again.deviceId ?? '') !== name.trim()) throw new Error(`"${name}" came back as "${again.deviceId}"`);
  },
};
