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

export type Charset = 'GB2312' | 'GB18030';

/** Text for devices: GB18030 for the 2022 edition; before it GBK, of which GB2312 is the part that every device reads. */
export function encodeText(text: string, charset: Charset): Uint8Array {
  return iconv.encode(text, charset === 'GB2312' ? 'gbk' : 'gb18030');
}
