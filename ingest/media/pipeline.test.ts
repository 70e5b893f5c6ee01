import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '../access-unit.js';
import type { MediaEvent } from './media-event.js';
import { MediaPipeline, pumpPackets, type PipelineOptions, type PipelineStats } from './pipeline.js';
import { parseRtp, type RtpPacket } from './rtp-packet.js';
import { fixture, Packetizer, picturesOf, psPicture, rtpPacket, streamPackets, type PsOptions } from './test-muxer.js';

const h264Pictures = picturesOf(fixture('h264.es'), 'h264');
const h265Pictures = picturesOf(fixture('h265.es'), 'h265');

interface Run {
  units: AccessUnit[];
  events: MediaEvent[];
  stats: PipelineStats;
}

function run(packets: Iterable<Buffer>, options: Partial<PipelineOptions> = {}, intervalMs = 40): Run {
  const units: AccessUnit[] = [];
  const events: MediaEvent[] = [];
  const stats = pumpPackets(
    packets,
    { cameraId: 'c1', reorder: false, onUnit: (unit) => units.push(unit), onEvent: (event) => events.push(event), ...options },
    1_000_000,
    intervalMs,
  );
  return { units, events, stats };
}

/** The NAL units alone: lengths of start codes and trailing zeros may change on the way. */
function nals(bytes: Uint8Array): string[] {
  const units: string[] = [];
  const buffer = Buffer.from(bytes);
  let hit = buffer.indexOf('000001', 0, 'hex');
  while (hit >= 0) {
    const next = buffer.indexOf('000001', hit + 3, 'hex');
    let end = next < 0 ? buffer.length : next;
    while (buffer[end - 1] === 0) end--;
    units.push(buffer.toString('hex', hit + 3, end));
    hit = next;
  }
  return units;
}

function expectSame(units: readonly AccessUnit[], pictures: readonly Buffer[]): void {
  expect(units.length).toBe(pictures.length);
  units.forEach((unit, i) => expect(nals(unit.data), `picture ${i}`).toEqual(nals(pictures[i] as Buffer)));
  for (let i = 1; i < units.length; i++) {
    expect((units[i] as AccessUnit).pts).toBeGreaterThan((units[i - 1] as AccessUnit).pts);
    expect((units[i] as AccessUnit).capturedAt).toBeGreaterThan((units[i - 1] as AccessUnit).capturedAt);
  }
}

describe('a clean GB/T 28181 stream', () => {
  it.each([
    ['h264', h264Pictures, 0x1b],
    ['h265', h265Pictures, 0x24],
  ] as const)('gives back the pictures of %s, byte by byte', (codec, pictures, mapType) => {
    const { units, events, stats } = run(streamPackets(pictures, (i) => ({ pts: i * 3600, mapType })));
    expectSame(units, pictures);
    expect(units.every((unit) => unit.codec === codec && unit.cameraId === 'c1')).toBe(true);
    expect(units.map((unit) => unit.keyframe)).toEqual(pictures.map((_, i) => i % 25 === 0));
    expect(units.map((unit) => unit.pts)).toEqual(pictures.map((_, i) => i * 3600));
    expect(units.map((unit) => unit.capturedAt - 1_000_000)).toEqual(pictures.map((_, i) => i * 40));
    expect(events).toEqual([{ type: 'first-keyframe', format: expect.objectContaining({ codec, width: 64, height: 48 }) as unknown }]);
    expect(stats).toMatchObject({ units: 50, keyframes: 2, lostPackets: 0, damages: 0, bufferedBytes: 0 });
  });

  it('reads ornate RTP headers (CSRC, extension, padding) and tiny packets alike', () => {
    expectSame(run(streamPackets(h264Pictures, (i) => ({ pts: i * 3600 }), { ornate: true })).units, h264Pictures);
    for (const mtu of [1, 2, 3, 5, 7, 13, 100]) {
      expectSame(run(streamPackets(h264Pictures, (i) => ({ pts: i * 3600, mapType: 0x1b }), { mtu }), {}, 1).units, h264Pictures);
    }
  });

  it('wraps sequence numbers, RTP time and PES time', () => {
    const packets = streamPackets(h264Pictures, (i) => ({ pts: (2 ** 33 - 18_000 + i * 3600) % 2 ** 33 }), {}, { sequence: 65_520, timestamp: 2 ** 32 - 7200 });
    const { units, stats } = run(packets, { reorder: true });
    expectSame(units, h264Pictures);
    expect((units.at(-1) as AccessUnit).pts - (units[0] as AccessUnit).pts).toBe(49 * 3600);
    expect(stats.discontinuities).toBe(0);
  });
});

const QUIRKS: [string, PsOptions][] = [
  ['no stream map', { mapType: null }],
  ['a stream map that calls H.264 H.265', { mapType: 0x24 }],
  ['a stream map with a wrong CRC', { mapType: 0x1b, badCrc: true }],
  ['PES length 0', { zeroLength: true }],
  ['PES packets of 100 bytes, only the first with a time', { pesSize: 100 }],
  ['PES packets of 7 bytes', { pesSize: 7 }],
  ['pack stuffing', { stuffing: 7 }],
  ['pack headers cut to four bytes', { cutPack: true }],
  ['start codes of four bytes', { longStartCode: true }],
  ['private data in front of each picture', { privateBytes: 300 }],
  ['PES lengths that say too little', { lengthError: -5 }],
  ['PES lengths that say too much', { lengthError: 40 }],
  ['audio after each picture', { audio: { data: Buffer.alloc(320, 0xd5), type: 0x90 } }],
  ['audio and no map', { audio: { data: Buffer.alloc(320, 0xd5), type: null } }],
];

describe.each([
  ['h264', h264Pictures],
  ['h265', h265Pictures],
] as const)('quirks of the field, %s', (codec, pictures) => {
  it.each(QUIRKS)('%s', (_name, quirk) => {
    for (const mtu of [1400, 33]) {
      // One picture more: the last one of a stream whose PES lengths say too much is not known to be whole.
      const sent = [...pictures, pictures[0] as Buffer];
      const { units } = run(streamPackets(sent, (i) => ({ pts: i * 3600, ...quirk }), { mtu }));
      expectSame(units.slice(0, 50), pictures);
      expect(units.length).toBe(quirk.lengthError === 40 ? 50 : 51);
    }
  });

  it('no time in the PES headers: RTP time counts', () => {
    const { units } = run(streamPackets(pictures, () => ({ pts: null })));
    expectSame(units, pictures);
    expect((units[1] as AccessUnit).pts - (units[0] as AccessUnit).pts).toBe(3600);
  });

  it('one PES time for all pictures: RTP time counts after a few', () => {
    const { units } = run(streamPackets(pictures, () => ({ pts: 90_000 })));
    expectSame(units, pictures);
    expect((units.at(-1) as AccessUnit).capturedAt - (units.at(-11) as AccessUnit).capturedAt).toBe(400);
  });

  it('times that stand still, in RTP and PES: the slices tell the pictures, the arrival their time', () => {
    const packetizer = new Packetizer();
    const units: AccessUnit[] = [];
    const pipeline = new MediaPipeline({ cameraId: 'c1', reorder: false, onUnit: (unit) => units.push(unit), onEvent: () => undefined });
    pictures.forEach((picture, i) => {
      for (const packet of packetizer.packets(psPicture(picture, i % 25 === 0, { pts: 90_000 }), 77)) pipeline.push(parseRtp(packet) as RtpPacket, 1_000_000 + i * 40);
    });
    pipeline.flush(1_000_000 + pictures.length * 40);
    expectSame(units, pictures);
    expect((units.at(-1) as AccessUnit).capturedAt - (units[0] as AccessUnit).capturedAt).toBe(49 * 40);
  });

  it('a sender that begins a picture again and again under one time costs no more than its bytes', () => {
    const units: AccessUnit[] = [];
    const pipeline = new MediaPipeline({ cameraId: 'c1', reorder: false, onUnit: (unit) => units.push(unit), onEvent: () => undefined });
    const packetizer = new Packetizer();
    // Parameter sets alone, four megabytes of them in small packets of one time: no slice ever comes.
    const begins = psPicture(Buffer.concat([Buffer.from([0, 0, 0, 1]), codec === 'h264' ? Buffer.from([0x67]) : Buffer.from([0x42, 1]), Buffer.alloc(400, 0x2a)]), false, { pts: 90_000 });
    const begun = performance.now();
    for (let i = 0; i < 10_000; i++) for (const packet of packetizer.packets(begins, 77)) pipeline.push(parseRtp(packet) as RtpPacket, 1_000_000);
    expect(units).toEqual([]);
    // Reading all of it for each packet would take minutes.
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  it.each([-1, 1])('a PES header whose own length is off by %i', (error) => {
    // The length of the header's fields stands 8 bytes behind the start code of the video packet.
    const packetizer = new Packetizer();
    const packets = pictures.flatMap((picture, i) => {
      const bytes = psPicture(picture, i % 25 === 0, { pts: i * 3600 });
      const at = bytes.indexOf(Buffer.from([0, 0, 1, 0xe0]));
      bytes[at + 8] = (bytes[at + 8] as number) + error;
      return packetizer.packets(bytes, i * 3600);
    });
    const { units } = run(packets);
    if (error < 0) expectSame(units, pictures);
    else expect(units).toHaveLength(pictures.length);
  });

  it('two pictures under one time are told apart by their slices', () => {
    const packetizer = new Packetizer();
    const packets = pictures.flatMap((picture, i) => packetizer.packets(psPicture(picture, i % 25 === 0, { pts: i - (i % 2) === i ? i * 3600 : (i - 1) * 3600 }), (i - (i % 2)) * 3600));
    const { units } = run(packets);
    expectSame(units, pictures);
    expect((units[9] as AccessUnit).pts - (units[7] as AccessUnit).pts).toBe(7200);
  });
});

describe('streams by others', () => {
  it.each([
    ['h264-mpeg1.ps', h264Pictures],
    ['h264-mpeg2.ps', h264Pictures],
    ['h265-mpeg2.ps', h265Pictures],
  ] as const)('%s: pictures that begin anywhere in fixed packs', (name, pictures) => {
    const bytes = fixture(name);
    for (const mtu of [1400, 2048, 97]) {
      const packetizer = new Packetizer({ mtu });
      const { units } = run(packetizer.packets(bytes, 0), {}, 1);
      expectSame(units, pictures);
      const span = (units.at(-1) as AccessUnit).pts - (units[0] as AccessUnit).pts;
      expect(Math.abs(span - 49 * 3600)).toBeLessThan(3600);
    }
  });

  it('several slices a picture', () => {
    const pictures = picturesOf(fixture('h264-slices.es'), 'h264', 3);
    expect(pictures.length).toBe(25);
    expectSame(run(streamPackets(pictures, (i) => ({ pts: i * 3600, pesSize: 40 }))).units, pictures);
  });

  it('B-frames with decode times keep both orders', () => {
    const pictures = picturesOf(fixture('h264-bframes.es'), 'h264');
    // Reference pictures are shown two pictures later than decoded here; what matters is that the sums come out.
    const shown = (i: number): number => (i % 25 === 0 ? i + 2 : i % 3 === 1 ? i + 4 : i + 1);
    const { units } = run(streamPackets(pictures, (i) => ({ pts: 90_000 + shown(i) * 3600, dts: 90_000 + i * 3600 })));
    expectSame(units, pictures);
    expect(units[0]?.compositionOffset ?? 0).toBe(0);
    units.forEach((unit, i) => expect(unit.pts + (unit.compositionOffset ?? 0)).toBe(90_000 + shown(i) * 3600));
  });

  it('B-frames without decode times: decode order stays, presentation times survive', () => {
    const pictures = picturesOf(fixture('h264-bframes.es'), 'h264');
    const order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8];
    const { units } = run(streamPackets(pictures.slice(0, 10), (i) => ({ pts: (order[i] as number) * 3600 })));
    expectSame(units, pictures.slice(0, 10));
    expect(units.map((unit) => (unit.pts + (unit.compositionOffset ?? 0)) / 3600)).toEqual(order);
  });
});

describe('elementary streams in RTP', () => {
  const units264 = (picture: Buffer): Buffer[] => nals(picture).map((hex) => Buffer.from(hex, 'hex'));

  it('H.264 by RFC 6184: single units, STAP-A and FU-A', () => {
    let sequence = 0;
    const packets: Buffer[] = [];
    h264Pictures.forEach((picture, i) => {
      const all = units264(picture);
      const sets = all.slice(0, -1);
      const slice = all.at(-1) as Buffer;
      const send = (payload: Buffer, last: boolean): void => void packets.push(rtpPacket(payload, sequence++, i * 3600, last, { payloadType: 98 }));
      if (sets.length > 0) {
        const stap = sets.flatMap((nal) => [Buffer.from([nal.length >> 8, nal.length & 0xff]), nal]);
        send(Buffer.concat([Buffer.from([0x78]), ...stap]), false);
      }
      if (slice.length < 30) return send(slice, true);
      const header = slice[0] as number;
      for (let at = 1; at < slice.length; at += 20) {
        const end = at + 20 >= slice.length;
        const fu = (at === 1 ? 0x80 : 0) | (end ? 0x40 : 0) | (header & 0x1f);
        send(Buffer.concat([Buffer.from([(header & 0xe0) | 28, fu]), slice.subarray(at, at + 20)]), end);
      }
    });
    expectSame(run(packets).units, h264Pictures);
  });

  it('H.265 by RFC 7798: single units, AP and FU, format negotiated', () => {
    let sequence = 0;
    const packets: Buffer[] = [];
    h265Pictures.forEach((picture, i) => {
      const all = units264(picture);
      const slice = all.at(-1) as Buffer;
      const send = (payload: Buffer): void => void packets.push(rtpPacket(payload, sequence++, i * 3600, false, { payloadType: 111 }));
      const sets = all.slice(0, -1);
      if (sets.length > 0) send(Buffer.concat([Buffer.from([48 << 1, 1]), ...sets.flatMap((nal) => [Buffer.from([nal.length >> 8, nal.length & 0xff]), nal])]));
      if (slice.length < 40) return send(slice);
      const type = ((slice[0] as number) >> 1) & 0x3f;
      for (let at = 2; at < slice.length; at += 25) {
        const fu = (at === 2 ? 0x80 : 0) | (at + 25 >= slice.length ? 0x40 : 0) | type;
        send(Buffer.concat([Buffer.from([49 << 1, 1, fu]), slice.subarray(at, at + 25)]));
      }
    });
    const { units } = run(packets, { payloadFormats: new Map([[111, 'h265']]) });
    expectSame(units, h265Pictures);
  });
});

describe('loss', () => {
  it('drops the broken picture and all up to the next keyframe, and counts them', () => {
    const packets = streamPackets(h264Pictures, (i) => ({ pts: i * 3600 }), { mtu: 60 });
    const of = (picture: number): number => packets.findIndex((p) => p.readUInt32BE(4) === picture * 3600);
    packets.splice(of(10) + 1, 1);
    const { units, events, stats } = run(packets);
    expectSame(units, [...h264Pictures.slice(0, 10), ...h264Pictures.slice(25)]);
    expect(units.find((unit) => unit.pts >= 36_000)?.keyframe).toBe(true);
    expect(stats.lostPackets).toBe(1);
    expect(stats.droppedPictures['no-keyframe'] + stats.droppedPictures.damaged).toBe(15);
    expect(events).toContainEqual({ type: 'loss', packets: 1 });
    expect(events).toContainEqual({ type: 'dropped', reason: 'no-keyframe', pictures: 14 });
  });

  it('joins in the middle of a stream at the next keyframe', () => {
    const packets = streamPackets(h265Pictures, (i) => ({ pts: i * 3600 }), { mtu: 100 });
    const { units } = run(packets.slice(9));
    expectSame(units, h265Pictures.slice(25));
  });

  it('shuffled and doubled packets come out whole through the reorder buffer', () => {
    const packets = streamPackets(h264Pictures, (i) => ({ pts: i * 3600 }), { mtu: 50 });
    for (let i = 0; i + 7 < packets.length; i += 8) {
      const [a, b] = [packets[i + 1] as Buffer, packets[i + 6] as Buffer];
      packets[i + 1] = b;
      packets[i + 6] = a;
    }
    const doubled = packets.flatMap((p, i) => (i % 3 === 0 ? [p, p] : [p]));
    const { units, stats } = run(doubled, { reorder: true }, 1);
    expectSame(units, h264Pictures);
    expect(stats.lostPackets).toBe(0);
  });

  it('gives keyframes without parameter sets the ones seen before', () => {
    const second = h264Pictures[25] as Buffer;
    const slice = Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from(nals(second).at(-1) as string, 'hex')]);
    const pictures = h264Pictures.map((picture, i) => (i === 25 ? slice : picture));
    const { units } = run(streamPackets(pictures, (i) => ({ pts: i * 3600 })));
    expectSame(units, h264Pictures);
  });
});

describe('changes in mid-stream', () => {
  it('another codec and size: begins with a keyframe and says so', () => {
    const small = streamPackets(h264Pictures, (i) => ({ pts: i * 3600 }));
    const big = picturesOf(fixture('h264-slices.es'), 'h264', 3);
    const middle = streamPackets(h265Pictures, (i) => ({ pts: (50 + i) * 3600 }), {}, { sequence: small.length, timestamp: 50 * 3600 });
    const sequence = small.length + middle.length;
    const last = streamPackets(big, (i) => ({ pts: (100 + i) * 3600 }), {}, { sequence, timestamp: 100 * 3600 });
    const { units, events } = run([...small, ...middle, ...last]);
    expectSame(units, [...h264Pictures, ...h265Pictures, ...big]);
    const formats = events.filter((event) => event.type === 'format').map((event) => event.format);
    expect(formats).toMatchObject([{ codec: 'h265', width: 64 }, { codec: 'h264', width: 96, height: 80 }]);
  });

  it('an encoder restart: the time line is cut once and goes on rising', () => {
    const first = streamPackets(h264Pictures, (i) => ({ pts: 5_000_000 + i * 3600 }));
    const second = streamPackets(h264Pictures, (i) => ({ pts: 1000 + i * 3600 }), {}, { sequence: first.length, timestamp: 0 });
    const { units, events } = run([...first, ...second]);
    expectSame(units, [...h264Pictures, ...h264Pictures]);
    expect(events.filter((event) => event.type === 'discontinuity').length).toBe(1);
  });

  it('a restart in the middle of a group waits for the next keyframe', () => {
    const first = streamPackets(h264Pictures.slice(0, 10), (i) => ({ pts: 5_000_000 + i * 3600 }));
    const packetizer = new Packetizer({}, first.length);
    const rest = h264Pictures.slice(10).flatMap((p, i) => packetizer.packets(psPicture(p, i === 15, { pts: 1000 + i * 3600 }), i * 3600));
    const { units } = run([...first, ...rest]);
    expectSame(units, [...h264Pictures.slice(0, 10), ...h264Pictures.slice(25)]);
  });
});

describe('what is not ours', () => {
  it('names payloads that cannot be used', () => {
    const ts = rtpPacket(Buffer.alloc(188, 0x47), 0, 0, false, { payloadType: 33 });
    expect(run([ts]).events).toEqual([{ type: 'unsupported', what: 'mpeg-ts' }]);
    const mpeg4 = streamPackets([h264Pictures[0] as Buffer], () => ({ mapType: 0x10 }));
    expect(run(mpeg4).events).toContainEqual({ type: 'unsupported', what: 'mpeg4' });
  });

  it('stays bounded when a picture never ends', () => {
    const pipeline = new MediaPipeline({ cameraId: 'c', reorder: false, maxUnitBytes: 100_000, onUnit: () => undefined, onEvent: () => undefined });
    const packetizer = new Packetizer();
    const start = psPicture(h264Pictures[0] as Buffer, true, { pts: 0, zeroLength: true });
    let most = 0;
    for (const bytes of packetizer.packets(Buffer.concat([start, Buffer.alloc(1_000_000, 0x55)]), 0)) {
      const packet = parseRtp(bytes);
      if (typeof packet !== 'string') pipeline.push(packet, 0);
      most = Math.max(most, pipeline.stats.bufferedBytes);
    }
    expect(most).toBeLessThan(101_500);
    expect(pipeline.stats.droppedPictures['too-large']).toBeGreaterThan(0);
  });
});
