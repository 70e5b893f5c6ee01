import iconv from 'iconv-lite';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * MANSCDP text from bytes. Devices write GB2312, GB18030 or UTF-8, and their prolog often names another one, so the bytes
 * decide: what is valid UTF-8 is UTF-8, all else GB18030, which contains GBK and GB2312.
 *
 * One trap: some GB2312 words are valid UTF-8 by accident ("路" is C2 B7, a middle dot). Such accidents are made of
 * two-byte sequences, while Chinese in UTF-8 takes three; so text with no character beyond them is UTF-8 only if it says so.
 */
export function decodeText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return decodeGb(bytes);
  }
  if (!/[\u0080-\u07ff]/.test(text) || /[\u0800-\uffff]/.test(text)) return text;
  return /^[^>]{0,100}encoding\s*=\s*["']utf-?8/i.test(text) || (bytes[0] === 0xef && bytes[1] === 0xbb) ? text : decodeGb(bytes);
}

function decodeGb(bytes: Uint8Array): string {
  return iconv.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'gb18030');
}

export const CHARSETS = ['GB2312', 'GB18030', 'UTF-8'] as const;
export type Charset = (typeof CHARSETS)[number];

/**
 * XML text for devices. Before the 2022 edition only GB2312 is promised: characters outside of it, which break such readers
 * when they come as bytes of GBK, are written as numeric references, which every XML reader knows.
 */
export function encodeText(xml: string, charset: Charset): Uint8Array {
  if (charset === 'UTF-8') return Buffer.from(xml, 'utf8');
  if (charset === 'GB18030') return iconv.encode(xml, 'gb18030');
  return iconv.encode(/^[\u0000-\u007f]*$/.test(xml) ? xml : [...xml].map(inGb2312).join(''), 'gbk');
}

function inGb2312(character: string): string {
  if (character <= '\u007f') return character;
  const bytes = iconv.encode(character, 'gbk');
  const [row, cell] = [bytes[0] as number, bytes[1] ?? 0];
  // Rows 1 to 9 and 16 to 87, cells 1 to 94 (GB/T 2312).
  const inside = bytes.length === 2 && cell >= 0xa1 && cell <= 0xfe && ((row >= 0xa1 && row <= 0xa9) || (row >= 0xb0 && row <= 0xf7));
  return inside ? character : `&#${character.codePointAt(0)};`;
}
