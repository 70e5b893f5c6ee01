import { readFileSync } from 'node:fs';
import iconv from 'iconv-lite';
import { describe, expect, it } from 'vitest';
import { CatalogCollector, readCatalogItem } from './catalog.js';
import { readDeviceInfo } from './device-info.js';
import { buildManscdp, parseManscdp } from './manscdp.js';
import { repairXml } from './xml-repair.js';
import { parseXml, textOf } from './xml.js';

const file = (name: string): Uint8Array => readFileSync(new URL(`./corpus/manscdp/${name}.xml`, import.meta.url));

describe('reading', () => {
  it.each(['catalog-gb2312', 'catalog-utf8-bom'])('understands %s', (name) => {
    const message = parseManscdp(file(name));
    expect(message).toMatchObject({ root: 'Response', cmdType: 'Catalog', sn: 17, deviceId: '34020000001320000001' });
    const collector = new CatalogCollector();
    collector.add(message.element);
    expect(collector.result().items[0]).toMatchObject({
      name: '香港中路1',
      parentIds: ['34020000001320000001', '3402000000215'],
      longitude: 120.38,
      online: true,
    });
  });

  it('understands characters that only GB18030 has', () => {
    const collector = new CatalogCollector();
    collector.add(parseManscdp(file('catalog-gb18030')).element);
    expect(collector.result().items[0]?.name).toBe('香港\u{20000}路1');
  });

  it('is not deceived by GB2312 that is valid UTF-8 by accident', () => {
    const xml = (prolog: string, name: string): string => `<?xml version="1.0" encoding="${prolog}"?><Notify><CmdType>x</CmdType><Name>${name}</Name></Notify>`;
    const accident = iconv.encode(xml('GB2312', '路'), 'gb2312');
    expect(accident.toString('utf8')).toContain('\u00b7');
    expect(textOf(parseManscdp(accident).element, 'Name')).toBe('路');
    // The prolog lies the other way round: Chinese in UTF-8 under the name of GB2312.
    expect(textOf(parseManscdp(Buffer.from(xml('GB2312', '路口'))).element, 'Name')).toBe('路口');
    expect(textOf(parseManscdp(Buffer.from(xml('UTF-8', 'Caf\u00e9'))).element, 'Name')).toBe('Caf\u00e9');
  });

  it('takes CmdType from an attribute, CDATA, and trailing NULs', () => {
    expect(parseManscdp(file('attribute-cmdtype')).cmdType).toBe('Keepalive');
    expect(parseManscdp(file('cdata')).cmdType).toBe('Keepalive');
  });

  it('undoes the five entities and numbers, and empty elements are null', () => {
    expect(readDeviceInfo(parseManscdp(file('device-info')).element)).toEqual({ name: 'P&R & A', manufacturer: null, model: null, firmware: 'V5.5', channels: null });
  });

  it('repairs raw ampersands, brackets, and tags that are text', () => {
    const { element } = parseManscdp(file('raw-ampersand'));
    expect(textOf(element, 'DeviceName')).toBe('A&B <3 <gate> x</b>');
    expect(textOf(element, 'Address')).toBe('1 < 2 && 3 > 2');
  });

  it.each(['truncated', 'doctype-bomb', 'deep', 'prototype'])('refuses %s', (name) => {
    expect(() => parseManscdp(file(name))).toThrow(expect.objectContaining({ kind: 'bad-input' }));
  });

  it.each([
    ['nothing', ''],
    ['two roots', '<a></a><b></b>'],
    ['another root', '<html><CmdType>x</CmdType></html>'],
    ['no CmdType', '<Notify><SN>1</SN></Notify>'],
  ])('refuses %s', (_name, xml) => {
    expect(() => parseManscdp(Buffer.from(xml))).toThrow(expect.objectContaining({ kind: 'bad-input' }));
  });

  // At this size, anything whose work grows with the square of the length takes minutes.
  it('is linear, whatever there is to repair', () => {
    const pieces = ['<a &', '<', '&', '<!--', '<?a ', '<![CDATA[', '<a>', '<a b="', '<a    ', '</a>', '<I>x</I>', ' a="1"', '<a b="c" ', '&a;', '<!'];
    const began = performance.now();
    for (const piece of pieces) {
      try {
        repairXml(`<Notify><CmdType>x</CmdType>${piece.repeat(300_000 / piece.length)}</Notify>`);
      } catch {
        // Refused or repaired: the point is that it ends.
      }
    }
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('repair leaves entities alone', () => expect(repairXml('<a>&amp;&#65;&x;</a>')).toBe('<a>&amp;&#65;&amp;x;</a>'));
});

describe('items', () => {
  const item = (xml: string) => readCatalogItem(parseXml(`<Item>${xml}</Item>`));
  it.each([
    ['ON', true],
    ['online', true],
    ['OK', true],
    ['OFF', false],
    ['OFFLINE', false],
    ['maybe', null],
  ])('Status %s is %s', (status, online) => expect(item(`<DeviceID>1</DeviceID><Status>${status}</Status>`)?.online).toBe(online));

  it('without an id are none, and odd numbers are null', () => {
    expect(item('<Name>x</Name>')).toBeNull();
    expect(item('<DeviceID>1</DeviceID><Longitude>E120</Longitude><Info><PTZType/></Info>')).toMatchObject({ longitude: null, ptzType: null });
  });

  it('with names in other letter case are read', () => expect(item('<deviceid>1</deviceid><NAME>n</NAME>')).toMatchObject({ id: '1', name: 'n' }));
});

describe('writing', () => {
  it('escapes, nests and says its charset', () => {
    const bytes = buildManscdp('Control', 'DeviceConfig', 3, '1', [['BasicParam', [['Name', '泊位<1>&']]]], 'GB2312');
    const text = iconv.decode(Buffer.from(bytes), 'gbk');
    expect(text).toBe('<?xml version="1.0" encoding="GB2312"?>\r\n<Control>\r\n<CmdType>DeviceConfig</CmdType>\r\n<SN>3</SN>\r\n<DeviceID>1</DeviceID>\r\n<BasicParam>\r\n<Name>泊位&lt;1&gt;&amp;</Name>\r\n</BasicParam>\r\n</Control>\r\n');
  });
});
