/** Device, channel and server ids (GB/T 28181 annex E): 20 decimal digits. */
export function isGbId(text: string): boolean {
  return /^\d{20}$/.test(text);
}

/** Cameras and other things that can be asked for pictures, as far as the id tells. */
export function isVideoChannel(id: string): boolean {
  return /^\d{10}(?:121|122|131|132)\d{7}$/.test(id);
}
