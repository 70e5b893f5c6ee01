import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../common/random.js';
import { ToneSource } from './media/g711.js';
import { Impairments } from './media/impairments.js';
import { Mp4Clip } from './media/mp4-clip.js';
import { nalType, nalUnits } from './media/nal.js';
import { crc32Mpeg, PsMuxer, type PsMuxerOptions } from './media/ps-muxer.js';
import { RtpPacketiser } from './media/rtp.js';
import { TcpFramer } from './media/tcp-framing.js';
import { hasProgram, makeTestClip, pictureHashes, probe, temporaryFolder } from './testing/clips.js';
import { parseRtp } from './testing/tiny-platform.js';

const PLAIN: PsMuxerOptions = {
  noPsm: false, psmStreamType: null, badPsmCrc: false, zeroPesLength: false, fourByteStartCodes: false, truncatedPackHeader: false, privateStream: false, splitPes: false, psmAfterPictures: 0, pesHeaderLengthError: 0,
};
const ffmpeg = hasProgram('ffmpeg') && hasProgram('ffprobe');

/** The whole clip as one program stream file. */
function mux(clip: Mp4Clip, options: Partial<PsMuxerOptions> = {}, sound = false): Buffer {
  const muxer = new PsMuxer(clip.codec, sound ? 'g711a' : null, clip.peakBitrate(), { ...PLAIN, ...options });
  const tone = new ToneSource('g711a');
  const parts: Buffer[] = [];
  for (let i = 0; i < clip.length; i += 1) {
    const { annexB, key, duration } = clip.picture(i);
    parts.push(muxer.picture(annexB, key, 90_000 + clip.startOf(i)));
    if (sound) parts.push(muxer.audio(tone.next(duration), 90_000 + clip.startOf(i) + 1800));
  }
  return Buffer.concat(parts);
}

describe.skipIf(!ffmpeg)('clips and program streams', () => {
  const folder = temporaryFolder();
  const clips = new Map<string, string>();

  beforeAll(() => {
    for (const codec of ['h264', 'h265'] as const) clips.set(codec, makeTestClip(folder.path, codec));
    // Key pictures of more than 64 KB need several PES packets.
    clips.set('large', makeTestClip(folder.path, 'h264', { seconds: 0.4, size: '1920x1080', quality: 8 }));
  });
  afterAll(() => folder.remove());

  it.each(['h264', 'h265'])('reads every picture of an MP4 (%s)', (codec) => {
    const clip = Mp4Clip.open(clips.get(codec)!);
    expect([clip.codec, clip.length, clip.width, clip.height]).toEqual([codec, 50, 320, 240]);
    expect(clip.duration).toBe(180_000);
    expect(Array.from({ length: clip.length }, (_, i) => clip.isKey(i)).flatMap((key, i) => (key ? [i] : []))).toEqual([0, 10, 20, 30, 40]);
    expect(clip.keyAtOrBefore(19)).toBe(10);
    expect(clip.indexAt(clip.startOf(7))).toBe(7);
    const types = nalUnits(clip.picture(10).annexB).map((unit) => nalType(clip.codec, unit));
    expect(types.filter((type) => type === (codec === 'h264' ? 7 : 33))).toHaveLength(1);
    expect(types).toContain(codec === 'h264' ? 5 : types.find((type) => type >= 16 && type <= 21));
  });

  it.each(['h264', 'h265', 'large'])('writes a program stream that decodes to the very same pictures (%s)', (name) => {
    const clip = Mp4Clip.open(clips.get(name)!);
    if (name === 'large') expect(Math.max(...Array.from({ length: clip.length }, (_, i) => clip.picture(i).annexB.length))).toBeGreaterThan(65_536);
    const path = join(folder.path, `${name}.ps`);
    writeFileSync(path, mux(clip));
    expect(probe(path, 'mpeg')).toMatchObject([{ codec_name: clip.codec === 'h264' ? 'h264' : 'hevc', codec_type: 'video', width: clip.width, height: clip.height }]);
    expect(pictureHashes(path, 'mpeg')).toEqual(pictureHashes(clips.get(name)!));
  });

  it('interleaves sound without touching the pictures', () => {
    const clip = Mp4Clip.open(clips.get('h264')!);
    const path = join(folder.path, 'sound.ps');
    const bytes = mux(clip, {}, true);
    writeFileSync(path, bytes);
    // The map's second entry: G.711 A-law in stream C0.
    const map = bytes.indexOf(Buffer.from([0, 0, 1, 0xbc]));
    expect([...bytes.subarray(map + 16, map + 18)]).toEqual([0x90, 0xc0]);
    expect(pictureHashes(path, 'mpeg')).toEqual(pictureHashes(clips.get('h264')!));
  });

  it.each([['g711a', 'alaw'], ['g711u', 'mulaw']] as const)('encodes sound that another decoder hears as the tone (%s)', (codec, format) => {
    const path = join(folder.path, `tone.${format}`);
    writeFileSync(path, new ToneSource(codec).next(45_000));
    const pcm = execFileSync('ffmpeg', ['-v', 'error', '-f', format, '-ar', '8000', '-ac', '1', '-i', path, '-f', 's16le', '-']);
    expect(pcm.length).toBe(8000);
    for (let i = 0; i < 4000; i += 1) {
      const wanted = 8000 * Math.sin((2 * Math.PI * 440 * i) / 8000);
      // Eight bits keep about 36 dB: a step is at most a sixteenth of the value.
      expect(Math.abs(pcm.readInt16LE(2 * i) - wanted)).toBeLessThan(Math.abs(wanted) / 16 + 40);
    }
  });

  it.each([
    { name: 'a PES per NAL unit', options: { splitPes: true } },
    { name: 'a bad map CRC', options: { badPsmCrc: true } },
    { name: 'vendor data', options: { privateStream: true } },
  ])('still carries the same pictures with $name', ({ name, options }) => {
    const clip = Mp4Clip.open(clips.get('h264')!);
    const path = join(folder.path, `${name.replaceAll(' ', '-')}.ps`);
    writeFileSync(path, mux(clip, options));
    expect(pictureHashes(path, 'mpeg')).toEqual(pictureHashes(clips.get('h264')!));
  });

  it('damages the stream in the ways that are asked for', () => {
    const clip = Mp4Clip.open(clips.get('h265')!);
    const code = (id: number): Buffer => Buffer.from([0, 0, 1, id]);
    expect(mux(clip).indexOf(code(0xbc))).toBeGreaterThan(0);
    expect(mux(clip, { noPsm: true }).indexOf(code(0xbc))).toBe(-1);
    const lying = mux(clip, { psmStreamType: 0x1b });
    expect(lying[lying.indexOf(code(0xbc)) + 12]).toBe(0x1b);
    const truncated = mux(clip, { truncatedPackHeader: true, noPsm: true });
    expect(truncated.indexOf(Buffer.from([0, 0, 1, 0xba, 0, 0, 1, 0xe0]))).toBeGreaterThan(0);
    const zero = mux(clip, { zeroPesLength: true });
    expect(zero.readUInt16BE(zero.indexOf(code(0xe0)) + 4)).toBe(0);
    expect(mux(clip, { fourByteStartCodes: true }).subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 1, 0xba]));
  });

  it('refuses what a camera cannot play', () => {
    const broken = join(folder.path, 'broken.mp4');
    writeFileSync(broken, Buffer.from('this is no film'));
    expect(() => Mp4Clip.open(broken)).toThrow(/no moov box/);
  });
});

describe('packets', () => {
  it('computes the CRC of ISO/IEC 13818-1 annex A', () => {
    // The well-known check value of this CRC (CRC-32/MPEG-2) over "123456789".
    expect(crc32Mpeg(Buffer.from('123456789'))).toBe(0x0376e6e7);
  });

  const options = { ssrc: 0x01020304, payloadType: 96, sequenceStart: 65_535, marker: 'last', extras: false, glued: false } as const;

  it('cuts a picture into packets of at most 1400 bytes, marks the last, wraps the numbers', () => {
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, i) => i & 0xff));
    const packets = new RtpPacketiser(options).packetise(bytes, 2 ** 32 + 5);
    const parsed = packets.map((packet) => parseRtp(packet)!);
    expect(packets.every((packet) => packet.length <= 1400)).toBe(true);
    expect(parsed.map((packet) => packet.sequence)).toEqual([65_535, 0, 1]);
    expect(parsed.map((packet) => packet.marker)).toEqual([false, false, true]);
    expect(new Set(parsed.map((packet) => packet.timestamp))).toEqual(new Set([5]));
    expect(Buffer.concat(parsed.map((packet) => packet.payload))).toEqual(bytes);
  });

  it('keeps the payload intact with extension, CSRC and padding, and with packets across pictures', () => {
    const pictures = [Buffer.alloc(2000, 1), Buffer.alloc(1500, 2), Buffer.alloc(700, 3)];
    for (const variant of [{ extras: true }, { glued: true }]) {
      const rtp = new RtpPacketiser({ ...options, ...variant });
      const payload = Buffer.concat(pictures.flatMap((picture, i) => rtp.packetise(picture, i)).map((packet) => parseRtp(packet)!.payload));
      expect(payload).toEqual(Buffer.concat(pictures).subarray(0, payload.length));
      expect(payload.length).toBeGreaterThan(2700);
    }
  });

  it('loses, swaps and repeats about as much as asked, the same for the same seed', () => {
    const packets = Array.from({ length: 20_000 }, (_, i) => {
      const packet = Buffer.alloc(4);
      packet.writeUInt32BE(i);
      return packet;
    });
    const run = (): { out: number[]; counts: number[] } => {
      const impairments = new Impairments({ lossPercent: 2, reorderPercent: 3, duplicatePercent: 1 }, new SeededRandom(7));
      const out = impairments.apply(packets).map((packet) => packet.readUInt32BE(0));
      return { out, counts: [impairments.lost, impairments.reordered, impairments.duplicated] };
    };
    const { out, counts } = run();
    expect(run().out).toEqual(out);
    counts.forEach((count, i) => expect(Math.abs(count / 20_000 - [0.02, 0.03, 0.01][i]!)).toBeLessThan(0.005));
    expect(out.some((value, i) => i > 0 && value < out[i - 1]!)).toBe(true);
  });

  it('frames by RFC 4571, and damages frames only when asked', () => {
    const packet = Buffer.alloc(300, 9);
    const clean = { tcpShortWritePercent: 0, tcpGarbagePercent: 0, dollarFraming: false };
    expect(new TcpFramer(clean, new SeededRandom(1)).frame([packet])).toEqual(Buffer.concat([Buffer.from([1, 44]), packet]));
    expect(new TcpFramer({ ...clean, dollarFraming: true }, new SeededRandom(1)).frame([packet]).subarray(0, 4)).toEqual(Buffer.from([0x24, 0, 1, 44]));
    const damaged = new TcpFramer({ ...clean, tcpShortWritePercent: 100 }, new SeededRandom(1));
    expect(damaged.frame([packet]).length).toBeLessThan(302);
    expect(damaged.damaged).toBe(1);
  });
});
