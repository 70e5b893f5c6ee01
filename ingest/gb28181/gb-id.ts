/** Device, channel and server ids (GB/T 28181 annex E): 20 decimal digits. */
export function isGbId(text: string): boolean {
  return /^\d{20}$/.test(text);
}

const TYPES: Readonly<Record<string, string>> = {
  '111': 'DVR',
  '118': 'NVR',
  '121': 'traffic checkpoint',
  '122': 'multi-sensor',
  '123': 'parking entrance controller',
  '130': 'HVR',
  '131': 'camera',
  '132': 'IP camera',
  '134': 'alarm input',
  '135': 'alarm output',
  '136': 'voice input',
  '137': 'voice output',
  '141': 'barrier',
  '200': 'platform',
  '215': 'business group',
  '216': 'virtual organisation',
};

/** What digits 11 to 13 say the thing is; null for types not in our notes. */
export function gbType(id: string): string | null {
  return TYPES[id.slice(10, 13)] ?? null;
}

/** Cameras and other things that can be asked for pictures, as far as the id tells. */
export function isVideoChannel(id: string): boolean {
  return /^\d{10}(?:121|122|131|132)\d{7}$/.test(id);
}
