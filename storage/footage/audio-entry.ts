import type { BoxWriter } from './box-writer.js';
import { FLAC_BITS, flacStreamInfo } from './flac.js';

/**
 * What a decoder must know of a segment's sound. G.711 is kept as FLAC, without loss, because that is what players take;
 * AAC as it came.
 */
export interface AudioFormat {
  codec: 'flac' | 'aac';
  /** Samples a second; also the time scale of the track. */
  sampleRate: number;
  channels: number;
  /** FLAC: STREAMINFO, 34 bytes. AAC: AudioSpecificConfig. */
  config: Buffer;
}

export const flacFormat = (sampleRate: number): AudioFormat => ({ codec: 'flac', sampleRate, channels: 1, config: flacStreamInfo(sampleRate) });

export function sameAudio(a: AudioFormat, b: AudioFormat): boolean {
  return a.codec === b.codec && a.sampleRate === b.sampleRate && a.channels === b.channels && a.config.equals(b.config);
}

/** What a player is told in a `codecs` parameter (RFC 6381). */
export function audioCodecString(format: AudioFormat): string {
  return format.codec === 'flac' ? 'flac' : `mp4a.40.${(format.config[0] ?? 0x10) >> 3}`;
}

/** AudioSampleEntry (ISO/IEC 14496-12, clause 12.2.3). */
export function writeAudioEntry(out: BoxWriter, format: AudioFormat): void {
  out.box(format.codec === 'flac' ? 'fLaC' : 'mp4a', () => {
    out.zeros(6).u16(1).zeros(8); // reserved, data_reference_index, reserved
    out.u16(format.channels).u16(FLAC_BITS).zeros(4);
    // 16.16; rates that do not fit are told by the configuration alone.
    out.u16(format.sampleRate > 0xffff ? 0 : format.sampleRate).u16(0);
    if (format.codec === 'flac') writeDfLa(out, format.config);
    else writeEsds(out, format.config);
  });
}

/** Encapsulation of FLAC in ISO base media, section 3.3.2: the metadata blocks, here STREAMINFO as the last one. */
function writeDfLa(out: BoxWriter, streamInfo: Buffer): void {
  out.fullBox('dfLa', 0, 0, () => out.u8(0x80).u8(0).u16(streamInfo.length).bytes(streamInfo));
}

/** ES_Descriptor (ISO/IEC 14496-1, clause 7.2.6.5): MPEG-4 audio, AudioStream, no buffer size or rates known. */
function writeEsds(out: BoxWriter, config: Buffer): void {
  const decoder = 13 + 2 + config.length;
  out.fullBox('esds', 0, 0, () => {
    out.u8(3).u8(3 + 2 + decoder + 3).u16(2).u8(0);
    out.u8(4).u8(decoder).u8(0x40).u8((5 << 2) | 1).u8(0).u16(0).u32(0).u32(0);
    out.u8(5).u8(config.length).bytes(config);
    out.u8(6).u8(1).u8(2); // SLConfigDescriptor: as in MP4 files
  });
}
