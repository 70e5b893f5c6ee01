import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '../access-unit.js';
import type { MediaEvent } from './media-event.js';
import { splitAnnexB } from './nal-units.js';
import { pumpPackets, type PipelineOptions, type PipelineStats } from './pipeline.js';
import { fixture, Packetizer, packHeader, pes, picturesOf, psPicture, rtpPacket, streamMap, streamPackets, systemHeader, type TestCodec } from './test-muxer.js';

/** What devices in the field do to RTP and program stream, one by one, beside the list in pipeline.test.ts. */
const PICTURES: Record<TestCodec, Buffer[]> = { h264: picturesOf(fixture('h264.es'), 'h264'), h265: picturesOf(fixture('h265.es'), 'h265') };

function receive(packets: Iterable<Buffer>, options: Partial<PipelineOptions> = {}): { units: AccessUnit[]; events: MediaEvent[]; stats: PipelineStats } {
  const units: AccessUnit[] = [];
  const events: MediaEvent[] = [];
  const stats = pumpPackets(packets, { cameraId: 'c', reorder: false, onUnit: (unit) => units.push(unit), onEvent: (event) => events.push(event), ...options }, 1_000_000, 10);
  return { units, events, stats };
}

const nals = (bytes: Uint8Array): string[] => splitAnnexB(Buffer.from(bytes)).map(({ from, to }) => Buffer.from(bytes).toString('hex', from, to));
const wanted = (codec: TestCodec, from = 0): string[][] => PICTURES[codec].slice(from).map(nals);
const got = (units: readonly AccessUnit[]): string[][] => units.map(({ data }) => nals(data));

/** A stream whose packs are made by `make`. */
function stream(codec: TestCodec, make: (picture: Buffer, i: number) => Buffer, mtu = 700): Buffer[] {
  const packetizer = new Packetizer({ mtu });
  return PICTURES[codec].flatMap((picture, i) => packetizer.packets(make(picture, i), i * 3600));
}

const box = (id: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 1, id, body.length >> 8, body.length & 0xff]), body]);

describe.each(['h264', 'h265'] as const)('RTP as it is sent, %s', (codec) => {
  it.each(['always', 'never', 'on the first packet only'])('marker bit %s', (when) => {
    let before = -1;
    const packets = streamPackets(PICTURES[codec], (i) => ({ pts: i * 3600 }), { mtu: 100 }).map((packet) => {
      const copy = Buffer.from(packet);
      const first = copy.readUInt32BE(4) !== before;
      before = copy.readUInt32BE(4);
      copy[1] = ((copy[1] as number) & 0x7f) | (when === 'always' || (when !== 'never' && first) ? 0x80 : 0);
      return copy;
    });
    expect(got(receive(packets).units)).toEqual(wanted(codec));
  });

  it.each([97, 102, 111, 127])('a program stream under payload type %i', (payloadType) => {
    expect(got(receive(streamPackets(PICTURES[codec], (i) => ({ pts: i * 3600 }), { payloadType, mtu: 300 })).units)).toEqual(wanted(codec));
  });

  it.each([0, 8])('a program stream under the payload type of G.711 (%i)', (payloadType) => {
    expect(got(receive(streamPackets(PICTURES[codec], (i) => ({ pts: i * 3600 }), { payloadType, mtu: 300 }), { onAudio: () => undefined }).units)).toEqual(wanted(codec));
  });

  it('one time stamp for all RTP packets', () => {
    const packetizer = new Packetizer();
    const packets = PICTURES[codec].flatMap((picture, i) => packetizer.packets(psPicture(picture, i % 25 === 0, { pts: i * 3600 }), 0));
    expect(got(receive(packets).units)).toEqual(wanted(codec));
  });

  it('packets cut without regard to pictures', () => {
    const all = Buffer.concat(PICTURES[codec].map((picture, i) => psPicture(picture, i % 25 === 0, { pts: i * 3600 })));
    for (const mtu of [1388, 187, 31]) expect(got(receive(new Packetizer({ mtu }).packets(all, 0)).units)).toEqual(wanted(codec));
  });
});

describe.each(['h264', 'h265'] as const)('program streams as they are muxed, %s', (codec) => {
  const type = codec === 'h264' ? 0x1b : 0x24;
  const other = codec === 'h264' ? 0x24 : 0x1b;
  const key = (i: number): boolean => i % 25 === 0;

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('pack stuffing of %i bytes', (stuffing) => {
    expect(got(receive(streamPackets(PICTURES[codec], (i) => ({ pts: i * 3600, stuffing }), { mtu: 61 })).units)).toEqual(wanted(codec));
  });

  it('a stream map that calls it the other codec, and one that calls it first so, then right', () => {
    for (const maps of [[other, other], [other, type], [type, other]]) {
      const { units, events } = receive(streamPackets(PICTURES[codec], (i) => ({ pts: i * 3600, mapType: maps[i < 25 ? 0 : 1] as number })));
      expect(got(units)).toEqual(wanted(codec));
      expect(units.every((unit) => unit.codec === codec)).toBe(true);
      expect(events.filter((event) => event.type === 'unsupported')).toEqual([]);
    }
  });

  it('a stream map that comes late', () => {
    expect(got(receive(streamPackets(PICTURES[codec], (i) => ({ pts: i * 3600, mapType: i < 25 ? null : type }))).units)).toEqual(wanted(codec));
  });

  it.each<[string, Buffer]>([
    ['descriptors of the program', Buffer.concat([Buffer.from([0xe1, 0xff, 0, 5, 1, 2, 3, 4, 5, 0, 4, type, 0xe0, 0, 0]), Buffer.alloc(4)])],
    ['descriptors of the stream', Buffer.concat([Buffer.from([0xe1, 0xff, 0, 0, 0, 10, type, 0xe0, 0, 6, 9, 9, 9, 9, 9, 9]), Buffer.alloc(4)])],
    ['descriptor lengths that overrun', Buffer.concat([Buffer.from([0xe1, 0xff, 0, 0, 0, 4, type, 0xe0, 0xff, 0xff]), Buffer.alloc(4)])],
    ['a program length that overruns', Buffer.concat([Buffer.from([0xe1, 0xff, 0xff, 0xff, 0, 4, type, 0xe0, 0, 0]), Buffer.alloc(4)])],
    ['a map length that overruns', Buffer.concat([Buffer.from([0xe1, 0xff, 0, 0, 0xff, 0xff, type, 0xe0, 0, 0]), Buffer.alloc(4)])],
    ['no streams', Buffer.concat([Buffer.from([0xe1, 0xff, 0, 0, 0, 0]), Buffer.alloc(4)])],
    ['nothing at all', Buffer.alloc(0)],
  ])('a stream map with %s', (_name, map) => {
    const packets = stream(codec, (picture, i) => Buffer.concat([packHeader(), ...(key(i) ? [systemHeader(), box(0xbc, map)] : []), pes(0xe0, picture, i * 3600, null)]));
    expect(got(receive(packets).units)).toEqual(wanted(codec));
  });

  it.each<[string, Buffer]>([
    ['padding (BE)', box(0xbe, Buffer.alloc(99, 0xff))],
    ['private stream 1 (BD)', box(0xbd, Buffer.from('00000001e000000001ba', 'hex'))],
    ['private stream 2 (BF)', box(0xbf, Buffer.alloc(300, 0xba))],
    ['a program end (B9)', Buffer.from([0, 0, 1, 0xb9])],
    ['a directory (FF)', box(0xff, Buffer.alloc(20))],
    ['EMM and ECM (F0, F1)', Buffer.concat([box(0xf0, Buffer.alloc(8)), box(0xf1, Buffer.alloc(8))])],
    ['a second pack header', packHeader(3)],
    ['zeros between packs', Buffer.alloc(9)],
  ])('%s in front of every picture', (_name, extra) => {
    const packets = stream(codec, (picture, i) => Buffer.concat([packHeader(), ...(key(i) ? [systemHeader(), streamMap(type, null)] : []), extra, pes(0xe0, picture, i * 3600, null)]));
    const { units, stats } = receive(packets);
    expect(got(units)).toEqual(wanted(codec));
    expect(stats.damages).toBe(0);
  });

  it.each([1, -1])('a PES header length that is off by %i', (error) => {
    const packets = stream(codec, (picture, i) => {
      const packet = pes(0xe0, picture, i * 3600, null);
      packet[8] = (packet[8] as number) + error;
      // One that says too much covers a byte that is there; devices put a stuffing byte less than they count.
      return Buffer.concat([packHeader(), packet]);
    });
    expect(got(receive(packets).units)).toEqual(wanted(codec));
  });

  it('a PES header that contradicts its length costs its own picture and what refers to it, no more', () => {
    const packets = stream(codec, (picture, i) => {
      const packet = pes(0xe0, picture, i * 3600, null);
      if (i === 10) packet.writeUInt16BE(4, 4);
      return Buffer.concat([packHeader(), packet]);
    });
    const { units, stats } = receive(packets);
    expect(stats.damages).toBeGreaterThan(0);
    expect(got(units.filter((unit) => unit.pts >= 25 * 3600))).toEqual(wanted(codec, 25));
    expect(got(units.slice(0, 9))).toEqual(wanted(codec).slice(0, 9));
  });

  it('a PES for each NAL unit, the first with the time', () => {
    const packets = stream(codec, (picture, i) => Buffer.concat([packHeader(), ...splitAnnexB(picture).map(({ codeAt, to }, n) => pes(0xe0, picture.subarray(codeAt, to), n === 0 ? i * 3600 : null, null))]));
    expect(got(receive(packets).units)).toEqual(wanted(codec));
  });

  it('a PES for each NAL unit, all with the time', () => {
    const packets = stream(codec, (picture, i) => Buffer.concat([packHeader(), ...splitAnnexB(picture).map(({ codeAt, to }) => pes(0xe0, picture.subarray(codeAt, to), i * 3600, null))]));
    expect(got(receive(packets).units)).toEqual(wanted(codec));
  });

  it('parameter sets before every picture, and delimiters before all of them', () => {
    const sets = splitAnnexB(PICTURES[codec][0] as Buffer).filter(({ from }) => {
      const header = PICTURES[codec][0]?.[from] as number;
      return codec === 'h264' ? [7, 8].includes(header & 31) : [32, 33, 34].includes(header >> 1);
    });
    const head = Buffer.concat(sets.flatMap(({ from, to }) => [Buffer.from([0, 0, 0, 1]), (PICTURES[codec][0] as Buffer).subarray(from, to)]));
    const delimiter = codec === 'h264' ? Buffer.from([0, 0, 0, 1, 9, 0xf0]) : Buffer.from([0, 0, 0, 1, 0x46, 1, 0x50]);
    const packets = stream(codec, (picture, i) => psPicture(Buffer.concat([delimiter, key(i) ? Buffer.alloc(0) : head, picture]), key(i), { pts: i * 3600 }));
    const { units } = receive(packets);
    expect(units).toHaveLength(50);
    expect(units.map((unit) => unit.keyframe)).toEqual(PICTURES[codec].map((_, i) => key(i)));
    units.forEach((unit, i) => expect(nals(unit.data).slice(-1)).toEqual(nals(PICTURES[codec][i] as Buffer).slice(-1)));
  });

  it('joined in the middle, without a map: slices alone decide nothing', () => {
    const { units, events } = receive(streamPackets(PICTURES[codec].slice(3), (i) => ({ pts: i * 3600 })));
    expect(got(units)).toEqual(wanted(codec, 25));
    expect(events.filter((event) => event.type === 'first-keyframe')).toHaveLength(1);
  });

  it.each([[0x10, 'mpeg4'], [0x80, 'svac'], [0x02, 'mpeg2-video'], [0x33, 'type 0x33']] as const)('a stream map that calls it type 0x%s, which we cannot use, is told once, and the bytes decide', (mapType, what) => {
    const { units, events } = receive(streamPackets(PICTURES[codec], (i) => ({ pts: i * 3600, mapType })));
    expect(events.filter((event) => event.type === 'unsupported')).toEqual([{ type: 'unsupported', what }]);
    expect(got(units)).toEqual(wanted(codec));
  });
});

describe('what is no stream of pictures at all', () => {
  it.each([
    ['SVAC slices under a map that says so', Buffer.concat([packHeader(), systemHeader(), streamMap(0x80, 0x9b), pes(0xe0, Buffer.alloc(4000, 0x5a), 0, null)])],
    ['noise', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 0xff))],
    ['zeros', Buffer.alloc(5000)],
    ['pack headers alone', Buffer.concat(Array.from({ length: 200 }, () => packHeader()))],
  ])('%s gives nothing and keeps nothing', (_name, bytes) => {
    const packetizer = new Packetizer();
    const packets = Array.from({ length: 200 }, (_, i) => packetizer.packets(bytes, i * 3600)).flat();
    const { units, stats } = receive(packets, { onAudio: () => undefined });
    expect(units).toEqual([]);
    expect(stats.bufferedBytes).toBeLessThan(10_000);
  });

  it('an empty RTP payload between packets is nothing', () => {
    const packets = streamPackets(PICTURES.h264, (i) => ({ pts: i * 3600 }));
    const thinned = packets.flatMap((packet, i) => [rtpPacket(Buffer.alloc(0), 2 * i, 0, false), Buffer.concat([packet.subarray(0, 2), Buffer.from([((2 * i + 1) >> 8) & 0xff, (2 * i + 1) & 0xff]), packet.subarray(4)])]);
    expect(got(receive(thinned).units)).toEqual(wanted('h264'));
  });
});
