/** Sound that is kept. Others (G.722.1, G.723.1, G.729, MPEG layers, …) are recognised, told, and left out. */
export type AudioCodec = 'g711a' | 'g711u' | 'aac';

/**
 * A piece of a camera's sound, beside its `AccessUnit`s.
 *
 * Sound is a guest of the recording: whoever takes it may drop it, and nothing of the pictures ever waits for it. Units come as
 * they arrive: between the pictures of about the same time, some tens of milliseconds early or late.
 */
export interface AudioUnit {
  cameraId: string;
  codec: AudioCodec;
  /** Samples a second of each channel. */
  sampleRate: number;
  channels: number;
  /** AAC: the AudioSpecificConfig (ISO/IEC 14496-3, clause 1.6.2.1); null for G.711. */
  config: Uint8Array | null;
  /** Time of its first sample on the line of the camera's pictures: 90 kHz ticks, unwrapped. */
  pts: number;
  /** Unix ms of its first sample, by the clock of the pictures. */
  capturedAt: number;
  /** G.711: one byte a sample. AAC: one raw frame of 1024 samples, without its ADTS header. */
  data: Uint8Array;
}
