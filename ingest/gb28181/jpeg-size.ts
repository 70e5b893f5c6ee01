const MAX_SIDE = 16_384;

/**
 * Width and height of a JPEG from its frame header (ITU-T T.81 B.2.2); null where the bytes are no whole JPEG: the start mark, a
 * frame with sensible sides and the end mark must be there.
 */
export function jpegSize(bytes: Uint8Array): { width: number; height: number } | null {
  if (bytes.length < 20 || bytes[0] !== 0xff || bytes[1] !== 0xd8 || bytes[2] !== 0xff || !endsWell(bytes)) return null;
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1] as number;
    // Fill bytes before a marker.
    if (marker === 0xff) {
      at++;
      continue;
    }
    // Markers without a segment: RST, TEM. The scan itself comes only behind the frame header.
    if ((marker >= 0xd0 && marker <= 0xd7) || marker === 0x01) {
      at += 2;
      continue;
    }
    const length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
    if (length < 2 || marker === 0xd9 || marker === 0xda) return null;
    // SOF0 to SOF15 but for DHT (C4), JPG (C8) and DAC (CC).
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      if (length < 8 || at + 9 > bytes.length) return null;
      const height = ((bytes[at + 5] as number) << 8) | (bytes[at + 6] as number);
      const width = ((bytes[at + 7] as number) << 8) | (bytes[at + 8] as number);
      return width >= 16 && height >= 16 && width <= MAX_SIDE && height <= MAX_SIDE ? { width, height } : null;
    }
    at += 2 + length;
  }
  return null;
}

/** The end mark among the last bytes: firmware pads its buffers. */
function endsWell(bytes: Uint8Array): boolean {
  for (let i = bytes.length - 2; i >= Math.max(2, bytes.length - 64); i--) if (bytes[i] === 0xff && bytes[i + 1] === 0xd9) return true;
  return false;
}
