import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { repairXml } from './xml-repair.js';

/** One element. Names keep their case; look-ups ignore it, because vendors and editions of the standard differ. */
export interface XmlElement {
  name: string;
  /** Text directly inside, trimmed. */
  text: string;
  attributes: ReadonlyMap<string, string>;
  children: readonly XmlElement[];
}

const MAX_XML_CHARS = 8 * 1024 * 1024;
const MAX_DEPTH = 16;

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  // Entities are undone here, the five and numbers only: no document may define its own.
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: MAX_DEPTH,
});

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9A-Fa-f]{1,6}));/g, (whole, name: string, decimal: string, hex: string) => {
    if (name !== undefined) return NAMED[name] as string;
    const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function badXml(what: string, cause?: unknown): BerthwatchError {
  return new BerthwatchError('bad-input', 'GB_XML', `the XML cannot be read: ${what}`, { cause });
}

/**
 * Reads one document, repairing what cameras get wrong (see `repairXml`) when it is not well-formed.
 * @throws BerthwatchError bad-input
 */
export function parseXml(source: string): XmlElement {
  if (source.length > MAX_XML_CHARS) throw badXml(`it is longer than ${MAX_XML_CHARS} characters`);
  const xml = trimDocument(source);
  if (/<!(?:DOCTYPE|ENTITY)/i.test(xml)) throw badXml('document type declarations are refused');
  try {
    const sound = XMLValidator.validate(xml, { allowBooleanAttributes: false }) === true;
    return rootOf(parser.parse(sound ? xml : repairXml(xml)));
  } catch (error) {
    if (error instanceof BerthwatchError) throw error;
    throw badXml(messageOf(error), error);
  }
}

/** Takes marks, white space and the NULs of fixed-size firmware buffers off both ends. */
function trimDocument(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) <= 0x20) end--;
  return text.slice(0, end).trim();
}

function rootOf(parsed: unknown): XmlElement {
  const roots = convert(parsed, 0).children;
  if (roots.length !== 1) throw badXml(`it has ${roots.length} root elements`);
  return roots[0] as XmlElement;
}

/** The parser's ordered form is an array of one-key objects: `{name: [...children], ":@": {attributes}}` or `{"#text": text}`. */
function convert(list: unknown, depth: number): { text: string; children: XmlElement[] } {
  if (depth > MAX_DEPTH) throw badXml(`it is nested deeper than ${MAX_DEPTH}`);
  const children: XmlElement[] = [];
  let text = '';
  for (const node of Array.isArray(list) ? (list as Record<string, unknown>[]) : []) {
    const name = Object.keys(node).find((key) => key !== ':@');
    if (name === undefined) continue;
    if (name === '#text') {
      text += unescape(String(node[name]));
      continue;
    }
    const attributes = Object.entries((node[':@'] ?? {}) as Record<string, unknown>);
    children.push({ name, ...convert(node[name], depth + 1), attributes: new Map(attributes.map(([key, value]) => [key, unescape(String(value))])) });
  }
  return { text: text.trim(), children };
}

export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  const lower = name.toLowerCase();
  return element.children.find((child) => child.name.toLowerCase() === lower);
}

export function childrenOf(element: XmlElement, name: string): XmlElement[] {
  const lower = name.toLowerCase();
  return element.children.filter((child) => child.name.toLowerCase() === lower);
}

/** Text of a child; null where it is missing or empty. */
export function textOf(element: XmlElement, name: string): string | null {
  return childOf(element, name)?.text || null;
}

/** A whole number in a child; null where it is missing, empty or no number. */
export function integerOf(element: XmlElement, name: string): number | null {
  const text = textOf(element, name);
  return text !== null && /^-?\d{1,15}$/.test(text) ? Number(text) : null;
}

/** A number in a child, such as a coordinate; null where it is missing, empty or no number. */
export function numberOf(element: XmlElement, name: string): number | null {
  const text = textOf(element, name);
  const value = text === null ? NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

export function escapeXml(text: string): string {
   
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '').replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
