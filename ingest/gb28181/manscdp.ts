import { BerthwatchError } from '../../base/errors.js';
import { decodeText, encodeText, type Charset } from './charset.js';
import { escapeXml, integerOf, parseXml, textOf, type XmlElement } from './xml.js';

/** GB/T 28181-2016 annex A: what travels in MESSAGE bodies. */
export const MANSCDP_TYPE = 'Application/MANSCDP+xml';

const ROOTS = ['Control', 'Query', 'Notify', 'Response'] as const;
export type ManscdpRoot = (typeof ROOTS)[number];

export interface ManscdpMessage {
  root: ManscdpRoot;
  /** As written, for example `Keepalive` or `Catalog`. */
  cmdType: string;
  /** Null where the device leaves it out. */
  sn: number | null;
  /** The device or channel spoken of; not proof of who is speaking. */
  deviceId: string | null;
  element: XmlElement;
}

/** @throws BerthwatchError bad-input */
export function parseManscdp(body: Uint8Array): ManscdpMessage {
  const element = parseXml(decodeText(body));
  const root = ROOTS.find((name) => name.toLowerCase() === element.name.toLowerCase());
  if (!root) throw new BerthwatchError('bad-input', 'GB_MANSCDP', `the root element is ${element.name.slice(0, 40)}, not one of ${ROOTS.join(', ')}`);
  // Some firmware writes CmdType as an attribute.
  const attribute = [...element.attributes].find(([name]) => name.toLowerCase() === 'cmdtype')?.[1];
  const cmdType = textOf(element, 'CmdType') ?? attribute;
  if (!cmdType) throw new BerthwatchError('bad-input', 'GB_MANSCDP', `a ${root} without CmdType`);
  return { root, cmdType: cmdType.trim(), sn: integerOf(element, 'SN'), deviceId: textOf(element, 'DeviceID'), element };
}

export type ManscdpField = readonly [name: string, value: string | number | readonly ManscdpField[]];

/** The bytes of a message; nested lists become nested elements. */
export function buildManscdp(root: ManscdpRoot, cmdType: string, sn: number, deviceId: string, fields: readonly ManscdpField[], charset: Charset): Uint8Array {
  const write = ([name, value]: ManscdpField): string =>
    typeof value === 'object' ? `<${name}>\r\n${value.map(write).join('')}</${name}>\r\n` : `<${name}>${escapeXml(String(value))}</${name}>\r\n`;
  const all: ManscdpField[] = [['CmdType', cmdType], ['SN', sn], ['DeviceID', deviceId], ...fields];
  return encodeText(`<?xml version="1.0" encoding="${charset}"?>\r\n${write([root, all])}`, charset);
}
