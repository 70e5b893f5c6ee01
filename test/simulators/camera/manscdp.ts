import iconv from 'iconv-lite';
import { chinaIsoSeconds } from '../common/local-time.js';

/** What a catalog says about one channel. */
export interface CatalogItem {
  id: string;
  name: string;
  manufacturer: string;
  model: string;
  civilCode: string;
  address: string;
  parentId: string;
  online: boolean;
  longitude: number | null;
  latitude: number | null;
}

const escapeXml = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** One element, or nothing for null. */
export const element = (name: string, value: string | number | null): string => (value === null ? '' : `<${name}>${typeof value === 'number' ? value : escapeXml(value)}</${name}>\r\n`);

/** Editions that a device may speak, as X-GB-Ver writes them: 2.0 is 2016, 3.0 is 2022. */
export type GbVersion = '2.0' | '3.0';

/** A MANSCDP body (annex A) in the character set of the edition: GB2312 in 2016, GB18030 in 2022. */
export function encodeManscdp(root: 'Notify' | 'Response', inner: string, version: GbVersion = '2.0'): Buffer {
  const charset = version === '3.0' ? 'GB18030' : 'GB2312';
  return iconv.encode(`<?xml version="1.0" encoding="${charset}"?>\r\n<${root}>\r\n${inner}</${root}>\r\n`, charset);
}

/** The text of an element inside a body, wherever it stands; null where there is none. */
export function elementText(text: string, name: string): string | null {
  return new RegExp(`<${name}(?:\\s[^>]*)?>\\s*([^<]*?)\\s*</${name}>`, 'i').exec(text)?.[1] ?? null;
}

/** The inside of an element that holds others; null where there is none. */
export function elementBody(text: string, name: string): string | null {
  return new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'i').exec(text)?.[1] ?? null;
}

/** The command in a body from the platform, read leniently: only what is asked, never nested structure. */
export interface ManscdpCommand {
  root: string;
  cmdType: string;
  sn: string;
  deviceId: string;
  /** The whole text, for commands whose details matter. */
  text: string;
}

/** Null when it is no MANSCDP. */
export function parseManscdp(body: Buffer): ManscdpCommand | null {
  const text = iconv.decode(body, 'gb18030');
  const tag = (name: string): string => new RegExp(`<${name}[^>]*>\\s*([^<]*?)\\s*</${name}>`, 'i').exec(text)?.[1] ?? '';
  const root = /<\s*(Query|Control|Notify|Response)\b/i.exec(text)?.[1];
  const cmdType = tag('CmdType');
  return root === undefined || cmdType === '' ? null : { root, cmdType, sn: tag('SN'), deviceId: tag('DeviceID'), text };
}

export function keepaliveNotify(sn: number, deviceId: string): Buffer {
  return encodeManscdp('Notify', element('CmdType', 'Keepalive') + element('SN', sn) + element('DeviceID', deviceId) + element('Status', 'OK'));
}

export function deviceInfoResponse(sn: string, device: { id: string; name: string; manufacturer: string; model: string; firmware: string; channels: number }, version: GbVersion = '2.0'): Buffer {
  return encodeManscdp(
    'Response',
    element('CmdType', 'DeviceInfo') + element('SN', sn) + element('DeviceID', device.id) + element('DeviceName', device.name) + element('Result', 'OK') +
      element('Manufacturer', device.manufacturer) + element('Model', device.model) + element('Firmware', device.firmware) + element('Channel', device.channels),
    version,
  );
}

export function deviceStatusResponse(sn: string, deviceId: string, now: number, state: { recording: boolean; guarded: boolean; alarming: boolean } = { recording: false, guarded: false, alarming: false }, version: GbVersion = '2.0'): Buffer {
  const duty = state.alarming ? 'ALARM' : state.guarded ? 'ONDUTY' : 'OFFDUTY';
  return encodeManscdp(
    'Response',
    element('CmdType', 'DeviceStatus') + element('SN', sn) + element('DeviceID', deviceId) + element('Result', 'OK') + element('Online', 'ONLINE') +
      element('Status', 'OK') + element('Encode', 'ON') + element('Record', state.recording ? 'ON' : 'OFF') + element('DeviceTime', chinaIsoSeconds(now)) +
      `<Alarmstatus Num="1">\r\n<Item>\r\n${element('DeviceID', deviceId)}${element('DutyStatus', duty)}</Item>\r\n</Alarmstatus>\r\n`,
    version,
  );
}

/** One part of a catalog; `total` is SumNum. */
export function catalogResponse(sn: string, deviceId: string, total: number, items: readonly CatalogItem[], version: GbVersion = '2.0'): Buffer {
  const list = items
    .map(
      (item) =>
        '<Item>\r\n' +
        element('DeviceID', item.id) + element('Name', item.name) + element('Manufacturer', item.manufacturer) + element('Model', item.model) + element('Owner', 'Owner') +
        element('CivilCode', item.civilCode) + element('Address', item.address) + element('Parental', 0) + element('ParentID', item.parentId) + element('SafetyWay', 0) +
        element('RegisterWay', 1) + element('Secrecy', 0) + element('Status', item.online ? 'ON' : 'OFF') + element('Longitude', item.longitude) + element('Latitude', item.latitude) +
        '</Item>\r\n',
    )
    .join('');
  const deviceList = items.length === 0 ? '' : `<DeviceList Num="${items.length}">\r\n${list}</DeviceList>\r\n`;
  return encodeManscdp('Response', element('CmdType', 'Catalog') + element('SN', sn) + element('DeviceID', deviceId) + element('SumNum', total) + deviceList, version);
}

/** A Response with a result, and what else belongs into it. */
export function resultResponse(cmdType: string, sn: string, deviceId: string, result: 'OK' | 'ERROR', more = '', version: GbVersion = '2.0'): Buffer {
  return encodeManscdp('Response', element('CmdType', cmdType) + element('SN', sn) + element('DeviceID', deviceId) + element('Result', result) + more, version);
}
