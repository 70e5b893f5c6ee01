import iconv from 'iconv-lite';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * MANSCDP text from bytes. Devices write GB2312, GB18030 or UTF-8, and their prolog often names another one, so the bytes
 * decide: valid UTF-8 (with or without a mark) is UTF-8, all else GB18030, which contains GBK and GB2312.
 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return iconv.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'gb18030');
  }
}

export type Charset = 'GB2312' | 'GB18030';

/** Text for devices: GB18030 for the 2022 edition; before it GBK, of which GB2312 is the part that every device reads. */
export function encodeText(text: string, charset: Charset): Uint8Array {
  return iconv.encode(text, charset === 'GB2312' ? 'gbk' : 'gb18030');
}
