/**
 * AAC in ADTS: ISO/IEC 13818-7, clause 6.2; ISO/IEC 14496-3, clause 1.A.2.
 *
 *     syncword 12 | id 1 | layer 2 | protection_absent 1 | profile 2 | sampling index 4 | private 1 | channels 3 |
 *     original, home, copyright 4 | frame_length 13 | buffer fullness 11 | raw data blocks - 1  2 | (CRC 16)
 */
export interface AdtsHeader {
  headerLength: number;
  /** Whole frame, header included. */
  frameLength: number;
  sampleRate: number;
  channels: number;
  /** AudioSpecificConfig, two bytes. */
  config: Buffer;
}

const RATES = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/** Samples of each channel in a frame. */
export const AAC_FRAME_SAMPLES = 1024;
/** `frame_length` has 13 bits. */
export const MAX_ADTS_FRAME = 8191;

/** The header at `at`; null where none stands there that we can use. Needs 7 bytes. */
export function parseAdts(bytes: Buffer, at: number): AdtsHeader | null {
  if (bytes.length - at < 7 || bytes[at] !== 0xff) return null;
  const second = bytes[at + 1] as number;
  if ((second & 0xf6) !== 0xf0) return null;
  const third = bytes[at + 2] as number;
  const fourth = bytes[at + 3] as number;
  const index = (third >> 2) & 0x0f;
  const sampleRate = RATES[index];
  const channels = ((third & 1) << 2) | (fourth >> 6);
  const headerLength = (second & 1) === 1 ? 7 : 9;
  const frameLength = ((fourth & 3) << 11) | ((bytes[at + 4] as number) << 3) | ((bytes[at + 5] as number) >> 5);
  // A channel configuration of its own (0), and several blocks in one frame, no camera sends.
  if (sampleRate === undefined || channels === 0 || frameLength <= headerLength || ((bytes[at + 6] as number) & 3) !== 0) return null;
  const objectType = (third >> 6) + 1;
  const config = Buffer.from([(objectType << 3) | (index >> 1), ((index & 1) << 7) | (channels << 3)]);
  return { headerLength, frameLength, sampleRate, channels: channels === 7 ? 8 : channels, config };
}

/** Sampling rate and channels of an AudioSpecificConfig; null where it is none of the plain kind. */
export function parseAudioSpecificConfig(config: Uint8Array): { sampleRate: number; channels: number } | null {
  const [first, second] = config;
  if (first === undefined || second === undefined) return null;
  const sampleRate = RATES[((first & 7) << 1) | (second >> 7)];
  const channels = (second >> 3) & 0x0f;
  return sampleRate === undefined || channels === 0 || channels > 7 ? null : { sampleRate, channels: channels === 7 ? 8 : channels };
}

/** Bytes of a frame of MPEG-1/2 audio layers I to III by the header at `at` (ISO/IEC 11172-3, clause 2.4.1.3); 0 where none stands there. */
export function mpegAudioFrameLength(bytes: Buffer, at: number): number {
  if (bytes.length - at < 4 || bytes[at] !== 0xff) return 0;
  const second = bytes[at + 1] as number;
  if ((second & 0xe0) !== 0xe0) return 0;
  const version = (second >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const layer = 4 - ((second >> 1) & 3); // 1, 2, 3; 4 is reserved
  const third = bytes[at + 2] as number;
  const rate = [44_100, 48_000, 32_000][(third >> 2) & 3];
  const bitrate = BITRATES[version === 3 ? layer - 1 : layer === 1 ? 3 : 4]?.[third >> 4] ?? 0;
  if (version === 1 || layer === 4 || rate === undefined || bitrate === 0) return 0;
  const sampleRate = rate / (version === 3 ? 1 : version === 2 ? 2 : 4);
  const padding = (third >> 1) & 1;
  if (layer === 1) return (Math.floor((12_000 * bitrate) / sampleRate) + padding) * 4;
  const samples = layer === 3 && version !== 3 ? 72_000 : 144_000;
  return Math.floor((samples * bitrate) / sampleRate) + padding;
}

/** kb/s by index: MPEG-1 layers I, II, III; MPEG-2 layer I; MPEG-2 layers II and III. */
const BITRATES = [
  [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
