import { readFileSync } from 'node:fs';
import iconv from 'iconv-lite';
import { describe, expect, it } from 'vitest';
import { alarmWords, readAlarm } from './alarm.js';
import { applyCatalogNotify } from './catalog-events.js';
import { readCatalogItem, type CatalogItem } from './catalog.js';
import { encodeText } from './charset.js';
import { buildControl } from './controls.js';
import { PresetCollector, readDeviceCondition, readMobilePosition } from './device-answers.js';
import { basicParamFields, ConfigCollector } from './device-config.js';
import { readGbTime, writeGbTime } from './gb-time.js';
import { editionOf, readGbVersion } from './gb-version.js';
import { buildManscdp, parseManscdp } from './manscdp.js';
import { RecordCollector, recordQueryFields } from './record-info.js';
import { parseXml } from './xml.js';

const NOON = Date.UTC(2026, 0, 5, 4);

describe('times', () => {
  it.each(['2026-01-05T12:00:00', '2026-1-5T12:0:0', '2026-01-05 12:00:00', '2026-01-05T12:00:00.000', '2026-01-05T12:00:00+08:00', '2026-01-05T04:00:00Z', '2026/01/05 12:00', '20260105T120000', '20260105120000'])('%s is noon in Beijing', (text) => {
    expect(readGbTime(text)).toBe(NOON);
  });

  it.each(['', 'now', '2026-02-31T00:00:00', '2026-13-01T00:00:00', '2026-01-01T25:00:00', '2026-01-01T00:61:00', '1'.repeat(100)])('%s is none', (text) => {
    expect(readGbTime(text)).toBeNull();
  });

  it('are written in Beijing time without a zone', () => {
    expect(writeGbTime(NOON)).toBe('2026-01-05T12:00:00');
    expect(readGbTime('2026-01-05T12:00:00.250')).toBe(NOON + 250);
  });
});

describe('texts for devices', () => {
  it('keep to GB2312 for older ones, and lose nothing', () => {
    const text = '香港中路 𠀀 镕 €<é';
    const bytes = encodeText(text, 'GB2312');
    const plain = iconv.decode(Buffer.from(bytes), 'gb2312');
    expect(plain).toBe('香港中路 &#131072; &#38229; &#8364;<é');
    const again = parseManscdp(buildManscdp('Query', 'X', 1, text, [], 'GB2312'));
    expect(again.deviceId).toBe(text);
  });

  it.each(['GB18030', 'UTF-8'] as const)('come whole in %s', (charset) => {
    const bytes = buildManscdp('Query', 'X', 1, '香港中路 𠀀 镕', [], charset);
    expect(Buffer.from(bytes).toString('latin1')).toContain(`encoding="${charset}"`);
    expect(parseManscdp(bytes).deviceId).toBe('香港中路 𠀀 镕');
  });
});

it('versions are read as devices write them', () => {
  expect(['3.0', ' v2 ', '1.1', '03.00'].map(readGbVersion)).toEqual(['3.0', '2.0', '1.1', '3.0']);
  expect([undefined, '', 'GB/T', '3.0.1'].map(readGbVersion)).toEqual([null, null, null, null]);
  expect([null, '1.0', '1.1', '2.0', '3.0', '4.0'].map(editionOf)).toEqual(['2016', '2011', '2011', '2016', '2022', '2022']);
});

describe('recordings', () => {
  const part = (sum: number, items: string[]): ReturnType<typeof parseXml> => parseXml(`<Response><CmdType>RecordInfo</CmdType><SumNum>${sum}</SumNum><RecordList Num="${items.length}">${items.join('')}</RecordList></Response>`);
  const item = (start: string, more = ''): string => `<Item><DeviceID> 34020000001310000001 </DeviceID><StartTime>${start}</StartTime><EndTime>2026-1-5T13:0:0</EndTime>${more}</Item>`;

  it('come in order, once each, and with what firmware leaves out as null', () => {
    const collector = new RecordCollector();
    collector.add(part(3, [item('2026-01-05T12:30:00', '<FileSize></FileSize><Type>TIME</Type>'), item('2026-01-05T12:00:00')]));
    expect(collector.done).toBe(false);
    collector.add(part(3, [item('2026-01-05T12:00:00'), item('not a time')]));
    expect(collector.result()).toMatchObject({ total: 3, complete: true, items: [{ startsAt: NOON, bytes: null, type: null, channelId: '34020000001310000001' }, { startsAt: NOON + 1_800_000, type: 'time' }] });
  });

  it('are asked for with a type, always', () => {
    expect(recordQueryFields({ channelId: 'x', from: NOON, to: NOON + 1000 })).toEqual([['StartTime', '2026-01-05T12:00:00'], ['EndTime', '2026-01-05T12:00:01'], ['Secrecy', 0], ['Type', 'all']]);
  });
});

describe('answers', () => {
  it('of a device about itself, however it spells them', () => {
    const condition = readDeviceCondition(parseXml('<Response><Online>online</Online><Status>Ok</Status><Encode>OFF</Encode><Record>65535</Record><DeviceTime>2026-1-5 12:00:00</DeviceTime><AlarmStatus Num="1"><Item><DeviceID>1</DeviceID><DutyStatus>onDuty</DutyStatus></Item></AlarmStatus></Response>'));
    expect(condition).toEqual({ online: true, healthy: true, reason: null, encoding: false, recording: null, deviceTime: NOON, alarms: [{ id: '1', duty: 'onduty' }] });
  });

  it('with presets, of 2016 whole and of 2022 in parts', () => {
    const old = new PresetCollector();
    old.add(parseXml('<Response><PresetList Num="2"><Item><PresetID>1</PresetID><PresetName>A</PresetName></Item><Item><PresetID>2</PresetID></Item></PresetList></Response>'));
    expect(old.result()).toEqual({ items: [{ number: 1, name: 'A' }, { number: 2, name: null }], total: 2, complete: true });
    const parts = new PresetCollector();
    parts.add(parseXml('<Response><SumNum>2</SumNum><PresetList Num="1"><Item><PresetID>1</PresetID></Item></PresetList></Response>'));
    expect([parts.done, parts.result().complete]).toEqual([false, false]);
  });

  it('with a place only where it is on earth', () => {
    expect(readMobilePosition(parseXml('<Notify><Longitude>120.5</Longitude><Latitude>36</Latitude><Speed>65535</Speed><Direction></Direction></Notify>'))).toMatchObject({ longitude: 120.5, latitude: 36, speed: null, direction: null });
    expect(readMobilePosition(parseXml('<Notify><Longitude>500</Longitude><Latitude>36</Latitude></Notify>'))).toBeNull();
  });

  it('with a configuration in one message or one a type, with lists and odd names', () => {
    const collector = new ConfigCollector(['BasicParam', 'FrameMirror', 'OSDConfig']);
    collector.add(parseXml('<Response><Result>OK</Result><BasicParam><Name>C</Name><Expiration>3600</Expiration><HeartBeatInterval>0</HeartBeatInterval><HeartBeatCount></HeartBeatCount></BasicParam></Response>'));
    collector.add(parseXml('<Response><Result>OK</Result><FrameMirror>0</FrameMirror></Response>'));
    expect(collector.done).toBe(false);
    collector.add(parseXml('<Response><OSDConfig><Item><Text>a</Text></Item><Item><Text>b</Text></Item></OSDConfig></Response>'));
    const result = collector.result('d');
    expect(result).toMatchObject({ complete: true, basic: { name: 'C', expirationS: 3600, heartBeatIntervalS: null, heartBeatCount: null }, items: { FrameMirror: '0', OSDConfig: { Item: [{ Text: 'a' }, { Text: 'b' }] } } });
    const failed = new ConfigCollector(['BasicParam']);
    failed.add(parseXml('<Response><Result>ERROR</Result></Response>'));
    expect(failed.done).toBe(true);
    expect(() => failed.result('d')).toThrow(/answered ERROR/);
  });
});

describe('commands', () => {
  const old = { gbVersion: '2.0', keyFrameCommand: null };
  const now = { gbVersion: '3.0', keyFrameCommand: null };

  it('depend on the edition where the editions differ', () => {
    expect([old, now, { gbVersion: null, keyFrameCommand: 'IFrameCmd' as const }].map((peer) => buildControl({ kind: 'key-frame' }, peer).fields)).toEqual([[['IFameCmd', 'Send']], [['IFrameCmd', 'Send']], [['IFrameCmd', 'Send']]]);
    expect(buildControl({ kind: 'record', on: false, streamNumber: 1 }, old)).toEqual({ fields: [['RecordCmd', 'StopRecord']], answered: true });
    expect(buildControl({ kind: 'record', on: true, streamNumber: 1 }, now).fields).toEqual([['RecordCmd', 'Record'], ['StreamNumber', 1]]);
    const named = { kind: 'ptz', ptz: { kind: 'preset', action: 'set', preset: 1 }, presetName: '路口' } as const;
    expect([buildControl(named, old).fields.length, buildControl(named, now).fields[1]]).toEqual([1, ['PTZCmdParams', [['PresetName', '路口']]]]);
  });

  it('wait for a Response exactly where the standard has one', () => {
    const answered = (command: Parameters<typeof buildControl>[0]): boolean => buildControl(command, old).answered;
    const box = { displayWidth: 100, displayHeight: 100, centreX: 5, centreY: 5, width: 2, height: 2 };
    expect([answered({ kind: 'guard', on: true }), answered({ kind: 'reset-alarm' }), answered({ kind: 'home', enabled: false })]).toEqual([true, true, true]);
    expect([answered({ kind: 'reboot' }), answered({ kind: 'key-frame' }), answered({ kind: 'drag-zoom', direction: 'out', box }), answered({ kind: 'ptz', ptz: { kind: 'stop' } })]).toEqual([false, false, false, false]);
  });

  it('refuse what no device could do', () => {
    expect(() => buildControl({ kind: 'home', enabled: true }, old)).toThrow(/needs the number of its preset/);
    expect(() => buildControl({ kind: 'drag-zoom', direction: 'in', box: { displayWidth: 100, displayHeight: 100, centreX: 101, centreY: 5, width: 2, height: 2 } }, old)).toThrow(/centreX/);
    expect(() => basicParamFields({})).toThrow(/nothing to set/);
    expect(() => basicParamFields({ expirationS: 10 })).toThrow(/Expiration must be a whole number from 3600/);
    expect(() => basicParamFields({ name: ' ' })).toThrow(/Name/);
  });
});

describe('alarms', () => {
  const file = (name: string): Uint8Array => readFileSync(new URL(`./corpus/manscdp/${name}.xml`, import.meta.url));

  it('are read with what they leave out as null', () => {
    expect(readAlarm(parseManscdp(file('alarm')).element, '34020000001320000001', 7)).toEqual({
      deviceId: '34020000001320000001', sourceId: '34020000001310000001', priority: 1, method: 5, type: 6, eventType: 1, at: NOON, receivedAt: 7, description: '越界 & 入侵', longitude: 120.38, latitude: null,
    });
    expect(readAlarm(parseXml('<Notify><AlarmPriority>9</AlarmPriority><AlarmMethod></AlarmMethod></Notify>'), 'd', 1)).toMatchObject({ sourceId: 'd', priority: null, method: null, type: null, at: null });
  });

  it('have words', () => {
    expect([alarmWords({ method: 2, type: 1 }), alarmWords({ method: 5, type: 99 }), alarmWords({ method: null, type: null })]).toEqual(['device alarm: video lost', 'video alarm 99', 'alarm']);
  });
});

describe('catalogue notifications', () => {
  const channel = (xml: string): CatalogItem => readCatalogItem(parseXml(`<Item>${xml}</Item>`)) as CatalogItem;
  const before = [channel('<DeviceID>1</DeviceID><Name>One</Name><Status>ON</Status><Longitude>120</Longitude>'), channel('<DeviceID>2</DeviceID><Name>Two</Name><Status>ON</Status>')];
  const notify = (...items: [id: string, event: string, more?: string][]): ReturnType<typeof applyCatalogNotify> =>
    applyCatalogNotify(before, parseXml(`<Notify><DeviceList>${items.map(([id, event, more = '']) => `<Item><DeviceID>${id}</DeviceID><Event>${event}</Event>${more}</Item>`).join('')}</DeviceList></Notify>`));

  it('change what they name and keep the rest', () => {
    const { channels, changes } = notify(['1', 'VLOST'], ['2', 'del'], ['3', 'ADD', '<Name>Three</Name>'], ['9', 'ON'], ['1', 'UPDATE', '<Name>Uno</Name>']);
    expect(channels.map(({ id, name, online, longitude }) => [id, name, online, longitude])).toEqual([['1', 'Uno', false, 120], ['3', 'Three', null, null]]);
    expect(changes.map(({ event }) => event)).toEqual(['VLOST', 'DEL', 'ADD', 'UPDATE']);
  });

  it('of unknown kinds change nothing', () => {
    expect(notify(['1', 'PARTY'], ['2', '']).changes).toEqual([]);
  });

  it('without an event bring what they tell', () => {
    expect(notify(['5', '', '<Name>Five</Name><Status>ON</Status>']).channels.at(-1)).toMatchObject({ id: '5', name: 'Five', online: true });
  });
});

it('an answer names a channel with spaces, unknown figures and several parents', () => {
  expect(readCatalogItem(parseXml('<Item><DeviceID> 3402000000 1310000001 </DeviceID><Name> 路口 1 </Name><Parental>65535</Parental><ParentID>a/b</ParentID><Status> Online </Status><Longitude></Longitude><Info><PTZType>65535</PTZType></Info></Item>'))).toMatchObject({
    id: '34020000001310000001', name: '路口 1', parental: false, parentIds: ['a', 'b'], online: true, longitude: null, ptzType: null,
  });
});
