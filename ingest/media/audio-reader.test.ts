import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import { haveTool } from '../../base/test-tools.js';
import type { AudioUnit } from '../audio-unit.js';
import { parseAdts, parseAudioSpecificConfig } from './adts.js';
import { AudioReader, type AudioFrame } from './audio-reader.js';
import type { MediaEvent } from './media-event.js';
import { pumpPackets, type PipelineStats } from './pipeline.js';
import { fixture, Packetizer, packHeader, pes, picturesOf, psPicture, rtpPacket, streamMap } from './test-muxer.js';

interface Read {
  frames: AudioFrame[];
  codecs: [string, boolean][];
  damaged: number;
}

/** Gives packets, each in pieces of `piece` bytes. */
function read(packets: readonly Buffer[], declared: string | null, piece = Infinity, timed = true): Read {
  const frames: AudioFrame[] = [];
  const codecs: [string, boolean][] = [];
  let damaged = 0;
  const reader = new AudioReader({ frame: (frame) => frames.push(frame), codec: (name, kept) => codecs.push([name, kept]), damaged: (bytes) => void (damaged += bytes) });
  packets.forEach((packet, i) => {
    const step = Math.min(piece, packet.length);
    for (let at = 0; at < packet.length; at += step) reader.push(packet.subarray(at, at + step), at === 0, at + step >= packet.length, at === 0 && timed ? i * 3600 : null, declared);
  });
  return { frames, codecs, damaged };
}

/** ADTS frames of our own making: `size` bytes of payload each. */
function adts(sizes: readonly number[], { index = 8, channels = 1 } = {}): Buffer[] {
  const random = seededRandom(sizes.length);
  return sizes.map((size) => {
    const length = size + 7;
    const head = Buffer.from([0xff, 0xf1, 0x40 | (index << 2) | (channels >> 2), ((channels & 3) << 6) | (length >> 11), (length >> 3) & 0xff, ((length & 7) << 5) | 0x1f, 0xfc]);
    return Buffer.concat([head, Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 255)))]);
  });
}

const cut = (bytes: Buffer, size: number): Buffer[] => Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
const payload = (frames: readonly Buffer[]): string => Buffer.concat(frames.map((frame) => frame.subarray(7))).toString('hex');
const joined = (frames: readonly AudioFrame[]): string => Buffer.concat(frames.map(({ data }) => data)).toString('hex');

describe('AudioReader', () => {
  it('G.711 as the map says, A-law without a map', () => {
    const packets = Array.from({ length: 10 }, (_, i) => Buffer.alloc(320, 0xd0 + i));
    for (const [declared, codec] of [['g711a', 'g711a'], ['g711u', 'g711u'], [null, 'g711a']] as const) {
      const { frames, codecs } = read(packets, declared, 7);
      expect(codecs).toEqual([[codec, true]]);
      expect(frames.map((frame) => frame.pts)).toEqual(packets.map((_, i) => i * 3600));
      expect(frames[0]).toMatchObject({ codec, sampleRate: 8000, channels: 1, duration: 3600 });
      expect(joined(frames)).toBe(Buffer.concat(packets).toString('hex'));
    }
  });

  it('AAC in ADTS, one frame a packet, many a packet, and cut anywhere', () => {
    const frames = adts([200, 7, 300, 150, 90, 400, 33, 60, 61, 62]);
    const whole = Buffer.concat(frames);
    for (const packets of [frames, [whole], cut(whole, 333), cut(whole, 100)]) {
      for (const piece of [Infinity, 1, 64]) {
        const got = read(packets, 'aac', piece);
        expect(got.codecs).toEqual([['aac', true]]);
        expect(joined(got.frames)).toBe(payload(frames));
        expect(got.damaged).toBe(0);
        expect(got.frames[0]).toMatchObject({ codec: 'aac', sampleRate: 16_000, channels: 1, duration: 5760, pts: 0 });
        expect(parseAudioSpecificConfig(got.frames[0]?.config as Buffer)).toEqual({ sampleRate: 16_000, channels: 1 });
      }
    }
    // A packet's time is that of the first frame that begins in it.
    expect(read(cut(whole, 333), 'aac').frames.filter((frame) => frame.pts === null).length).toBeGreaterThan(0);
  });

  it('a map that calls AAC G.711 (or is missing) is not believed', () => {
    for (const declared of ['g711a', 'g711u', null]) {
      const got = read(adts(Array.from({ length: 40 }, (_, i) => 50 + i)), declared);
      expect(got.codecs).toEqual([['aac', true]]);
      expect(got.frames).toHaveLength(40);
    }
  });

  it('quiet µ-law, which is full of sync words, stays µ-law', () => {
    const random = seededRandom(5);
    const packets = Array.from({ length: 3000 }, () => Buffer.from([0xff, [0xf1, 0xf9, 0xfb, 0xfd][Math.floor(random() * 4)] as number, ...Array.from({ length: 318 }, () => 0xf0 | Math.floor(random() * 16))]));
    const got = read(packets, 'g711u');
    expect(got.codecs).toEqual([['g711u', true]]);
    expect(got.frames).toHaveLength(3000);
  });

  it('a camera that is switched from AAC to G.711 under the same map is followed', () => {
    const got = read([...adts(Array.from({ length: 30 }, () => 90)), ...Array.from({ length: 60 }, () => Buffer.alloc(160, 0x55))], 'g711a');
    expect(got.codecs).toEqual([['aac', true], ['g711a', true]]);
    expect(got.frames.filter(({ codec }) => codec === 'g711a').length).toBeGreaterThan(40);
  });

  it.each(['g722.1', 'g723.1', 'g729', 'svac-audio', 'type 0x81'])('%s is named and left out', (name) => {
    expect(read([Buffer.alloc(320, 0x11), Buffer.alloc(320, 0x12)], name)).toMatchObject({ frames: [], codecs: [[name, false]] });
  });

  it.skipIf(!haveTool('ffmpeg')).each(['mp2', 'libmp3lame'])('MPEG layers (%s) without a map are not taken for G.711', (codec) => {
    const bytes = execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'sine=600:sample_rate=32000:duration=4', '-c:a', codec, '-b:a', '64k', '-f', codec === 'mp2' ? 'mp2' : 'mp3', '-write_xing', '0', '-id3v2_version', '0', '-'].filter((arg, i, all) => codec !== 'mp2' || (!['-write_xing', '-id3v2_version'].includes(arg) && !['-write_xing', '-id3v2_version'].includes(all[i - 1] ?? ''))));
    const got = read(cut(bytes, 2000), null);
    expect(got.codecs.at(-1)).toEqual(['mpeg-audio', false]);
    expect(got.frames.length).toBeLessThanOrEqual(1);
  });

  it('bytes between frames are skipped and counted; a lost packet costs the frames it held', () => {
    const frames = adts(Array.from({ length: 20 }, () => 80));
    const noisy = frames.flatMap((frame, i) => (i % 5 === 4 ? [Buffer.alloc(30, 0x11), frame] : [frame]));
    expect(read([Buffer.concat(noisy)], 'aac')).toMatchObject({ damaged: 120 });
    expect(read([Buffer.concat(noisy)], 'aac').frames).toHaveLength(20);
    const reader: AudioFrame[] = [];
    const lossy = new AudioReader({ frame: (frame) => reader.push(frame), codec: () => undefined, damaged: () => undefined });
    cut(Buffer.concat(frames), 120).forEach((packet, i) => (i === 5 ? lossy.loss() : lossy.push(packet, true, true, null, 'aac')));
    expect(reader.length).toBeGreaterThanOrEqual(16);
    expect(reader.every(({ data }) => data.length === 80)).toBe(true);
  });

  it('keeps a bounded number of bytes of a packet that never ends', () => {
    const reader = new AudioReader({ frame: () => undefined, codec: () => undefined, damaged: () => undefined });
    for (let i = 0; i < 10_000; i++) {
      reader.push(Buffer.alloc(1400, 0xff), i === 0, false, null, i % 2 === 0 ? 'aac' : 'g711a');
      expect(reader.buffered).toBeLessThan(80_000);
    }
  });

  it('reads ADTS headers by the letter', () => {
    const [frame] = adts([100], { index: 11, channels: 2 }) as [Buffer];
    expect(parseAdts(frame, 0)).toMatchObject({ headerLength: 7, frameLength: 107, sampleRate: 8000, channels: 2, config: Buffer.from([0x15, 0x90]) });
    for (const [at, value] of [[0, 0xfe], [1, 0xf3], [2, 0x7c], [3, 0], [6, 0xfd]] as const) {
      const wrong = Buffer.from(frame);
      wrong[at] = value;
      expect(parseAdts(wrong, 0), `byte ${at}`).toBeNull();
    }
  });
});

const pictures = picturesOf(fixture('h264.es'), 'h264');

function pump(packets: readonly Buffer[], audio = true): { sound: AudioUnit[]; pictures: number; events: MediaEvent[]; stats: PipelineStats } {
  const sound: AudioUnit[] = [];
  const events: MediaEvent[] = [];
  let count = 0;
  const stats = pumpPackets(packets, { cameraId: 'c', reorder: false, onUnit: () => void count++, onEvent: (event) => events.push(event), ...(audio ? { onAudio: (unit: AudioUnit) => sound.push(unit) } : {}) }, 1_000_000, 20);
  return { sound, pictures: count, events, stats };
}

/** A picture and its 40 ms of sound in packets of their own, each 20 ms after the other. */
function withSound(type: number | null, pts0 = 0): Buffer[] {
  const packetizer = new Packetizer();
  return pictures.flatMap((picture, i) => [
    ...packetizer.packets(psPicture(picture, i % 25 === 0, { pts: (pts0 + i * 3600) % 2 ** 33, mapType: type === null ? null : 0x1b, ...(type === null ? {} : { audio: { data: Buffer.alloc(0), type } }) }), i * 3600),
    ...packetizer.packets(Buffer.concat([packHeader(), pes(0xc0, Buffer.alloc(320, 0x55), (pts0 + i * 3600) % 2 ** 33, null)]), i * 3600),
  ]);
}

describe('sound in the pipeline', () => {
  it.each([[0x90, 'g711a', 0], [0x91, 'g711u', 2 ** 33 - 40_000], [null, 'g711a', 0]] as const)('stands beside its pictures: stream type %s', (type, codec, pts0) => {
    const { sound, pictures: seen, events, stats } = pump(withSound(type, pts0));
    expect(seen).toBe(50);
    // The first picture is complete, and so known to be one, only when the next one begins.
    expect(sound.length).toBeGreaterThanOrEqual(48);
    expect(stats).toMatchObject({ audioUnits: sound.length, droppedAudio: 50 - sound.length, damages: 0 });
    expect(events.filter((event) => event.type === 'audio')).toEqual([{ type: 'audio', codec, kept: true }]);
    const skipped = 50 - sound.length;
    sound.forEach((unit, i) => {
      expect(unit.pts).toBe(pts0 + (i + skipped) * 3600);
      expect(Math.abs(unit.capturedAt - (1_000_000 + (i + skipped) * 40))).toBeLessThanOrEqual(25);
      expect(unit.data.length).toBe(320);
    });
  });

  it('by payload type 8 and 0 beside the pictures, with a clock of its own', () => {
    for (const [payloadType, codec] of [[8, 'g711a'], [0, 'g711u']] as const) {
      let sequence = 0;
      const packets: Buffer[] = [];
      pictures.forEach((picture, i) => {
        packets.push(rtpPacket(psPicture(picture, i % 25 === 0, { pts: i * 3600 }), sequence++, i * 3600, true));
        packets.push(rtpPacket(Buffer.alloc(320, 0x55), sequence++, 77_000 + i * 320, true, { payloadType }));
      });
      const { sound, pictures: seen, events } = pump(packets);
      expect(seen).toBe(50);
      expect(events).toContainEqual({ type: 'audio', codec, kept: true });
      expect(sound.length).toBeGreaterThanOrEqual(48);
      // It goes on without holes: each piece begins where the one before ended.
      for (let i = 1; i < sound.length; i++) expect((sound[i] as AudioUnit).pts - (sound[i - 1] as AudioUnit).pts).toBe(3600);
    }
  });

  it('switched off: not even looked at', () => {
    const { pictures: seen, events, stats } = pump(withSound(0x90), false);
    expect(seen).toBe(50);
    expect(events.filter((event) => event.type === 'audio')).toEqual([]);
    expect(stats).toMatchObject({ audioUnits: 0, droppedAudio: 0 });
  });

  it('what its taker throws ends nothing', () => {
    let seen = 0;
    const stats = pumpPackets(withSound(0x90), { cameraId: 'c', reorder: false, onUnit: () => void seen++, onEvent: () => undefined, onAudio: () => { throw new Error('no room'); } }, 0, 20);
    expect(seen).toBe(50);
    expect(stats).toMatchObject({ audioUnits: 0, droppedAudio: 50 });
  });

  it('names G.729 by payload type and by map, and keeps none of it', () => {
    const map = Buffer.concat([packHeader(), streamMap(0x1b, 0x99), pes(0xc0, Buffer.alloc(20, 3), 0, null)]);
    expect(pump([rtpPacket(map, 0, 0, true)]).events).toContainEqual({ type: 'audio', codec: 'g729', kept: false });
    const byType = pump([rtpPacket(Buffer.alloc(20, 3), 0, 0, true, { payloadType: 18 })]);
    expect(byType).toMatchObject({ sound: [], events: [{ type: 'audio', codec: 'g729', kept: false }] });
  });
});
