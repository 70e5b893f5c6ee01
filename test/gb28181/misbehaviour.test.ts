import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import type { DeviceStatus } from '../../ingest/gb28181/device.js';
import type { MediaTransportKind } from '../../ingest/media/media-transport.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import { misbehaviourSchema, type Misbehaviour } from '../simulators/camera/misbehaviour.js';
import { hasProgram, makeTestClip, temporaryFolder } from '../simulators/camera/testing/clips.js';
import { RAW_TEXT } from '../simulators/camera/xml-quirks.js';
import { ClipPictures } from './pictures.js';
import { channelOf, deviceId, PASSWORD, SERVER_ID, TestPlatform, until, type Watched } from './platform.js';

/**
 * Every way in which a simulated camera can break the standard, each against the real server and camera stream, with the
 * outcome that must come of it. All cameras run at once against one platform.
 */
interface Row {
  /** The options under test. */
  with: Partial<Misbehaviour>;
  on?: MediaTransportKind;
  signalling?: 'udp' | 'tcp';
  codec?: 'h264' | 'h265';
  audio?: 'g711a';
  /** A clip of many packets a picture. */
  rich?: true;
  /**
   * - `intact`: every picture from the first key frame on, none missing
   * - `gaps`: something is missing and the stream goes on at key frames
   * - `in-order`: one of the two, as the machine has time
   * - a pattern: nothing is taken, and the diagnosis says why
   */
  outcome: 'intact' | 'gaps' | 'in-order' | RegExp;
  /** What else must be so. */
  also?: (facts: Facts) => void | Promise<void>;
  /** Pictures to wait for; 25 where not given. */
  pictures?: number;
}

interface Facts {
  watched: Watched;
  camera: CameraSimulator;
  device: DeviceStatus | null;
  moved: () => number;
}

const rows: Row[] = [
  // Registration
  { with: { contactExpiresOnly: true }, outcome: 'intact', also: ({ device }) => expect((device?.expiresAt ?? 0) - (device?.registeredAt ?? 0)).toBe(1_200_000) },
  { with: { ignoreQop: true }, outcome: 'intact' },
  { with: { emptyUsername: true }, outcome: 'intact' },
  { with: { qopWithoutCount: true }, outcome: 'intact' },
  { with: { shortNonceCount: true }, outcome: 'intact' },
  { with: { emptyCnonce: true }, outcome: 'intact' },
  { with: { messagesFromChannel: true }, outcome: 'intact', also: ({ device }) => expect(device?.lastKeepaliveAt).not.toBeNull() },
  { with: { duplicateSip: true }, outcome: 'intact' },
  // A router that forgets the port: the refused keepalive makes the camera register anew, and its stream never stops.
  { with: { natRebindAfterMs: 1_500 }, outcome: 'intact', pictures: 60, also: ({ moved }) => until('the new address', () => moved() === 1) },
  // Keepalives that prove nothing move nothing; the pictures keep the device online.
  { with: { keepaliveFromOtherPort: true, ignoreRefusedKeepalives: true }, outcome: 'intact', pictures: 120, also: ({ device, moved }) => expect({ online: device?.online, last: device?.lastKeepaliveAt, moved: moved() }).toEqual({ online: true, last: null, moved: 0 }) },
  // Calls
  { with: { noSdp: true }, outcome: 'intact' },
  { with: { noToTag: true }, outcome: 'intact' },
  { with: { privateContact: true }, outcome: 'intact' },
  { with: { privateSdpAddress: true }, outcome: 'intact' },
  { with: { answerPortZero: true }, outcome: 'intact' },
  { with: { answerSsrc: '0999990001' }, outcome: 'intact', also: ({ watched }) => expect(watched.events).toContainEqual(expect.objectContaining({ type: 'first-packet', ssrc: 999_990_001, expected: true })) },
  { with: { noAnswerSsrc: true }, outcome: 'intact' },
  { with: { oddAnswerSsrc: '0' }, outcome: 'intact' },
  { with: { oddAnswerSsrc: '20000123' }, outcome: 'intact' },
  { with: { rtpSsrc: 77 }, outcome: 'intact', also: ({ watched }) => expect(watched.events).toContainEqual(expect.objectContaining({ type: 'first-packet', ssrc: 77, expected: false })) },
  { with: { loseInviteAnswers: 1 }, outcome: 'intact' },
  { with: { startBeforeAck: true }, outcome: 'intact' },
  { with: { busyInvites: 2 }, outcome: 'intact', also: ({ watched }) => expect(watched.states.map(({ diagnosis }) => diagnosis).join()).toMatch(/486.*it is busy/) },
  { with: { ignoreBye: true }, outcome: 'intact' },
  { with: { ignoreIcmp: true }, outcome: 'intact' },
  { with: { inviteStatus: 488 }, outcome: /refused INVITE with 488.*other media transport/ },
  { with: { privateRtpmap: 'HIKVISION/90000' }, outcome: /private stream \(HIKVISION\/90000\).*PS/ },
  { with: { privateRtpmap: 'DAHUA/90000' }, on: 'tcp-passive', outcome: /private stream \(DAHUA\/90000\)/ },
  // Clocks
  { with: { deviceClockOffsetMs: -315_360_000_000 }, outcome: 'intact' },
  { with: { clockSkewPpm: 300 }, outcome: 'intact' },
  // Program stream
  { with: { noPsm: true }, outcome: 'intact' },
  { with: { noPsm: true }, codec: 'h265', outcome: 'intact' },
  { with: { psmStreamType: 0x1b }, codec: 'h265', outcome: 'intact' },
  { with: { psmAfterPictures: 12 }, codec: 'h265', outcome: 'intact' },
  { with: { badPsmCrc: true }, outcome: 'intact' },
  { with: { zeroPesLength: true }, outcome: 'intact' },
  { with: { fourByteStartCodes: true }, outcome: 'intact' },
  { with: { truncatedPackHeader: true }, codec: 'h265', outcome: 'intact' },
  { with: { privateStream: true }, outcome: 'intact' },
  { with: { splitPes: true }, outcome: 'intact' },
  { with: { gluedPictures: true }, outcome: 'intact' },
  { with: { parameterSetsEverywhere: true }, outcome: 'intact' },
  { with: { startMidGop: true }, outcome: 'intact' },
  { with: { pesHeaderLengthError: 1 }, outcome: 'intact' },
  { with: { pesHeaderLengthError: -1 }, outcome: 'intact' },
  { with: { aacAsG711: true }, audio: 'g711a', outcome: 'intact', also: ({ watched }) => expect(watched.events).toContainEqual(expect.objectContaining({ type: 'audio', codec: 'aac', kept: true })) },
  // RTP
  { with: { gluedPackets: true }, outcome: 'intact' },
  { with: { marker: 'never' }, outcome: 'intact' },
  { with: { marker: 'always' }, outcome: 'intact' },
  { with: { rtpExtras: true }, outcome: 'intact' },
  { with: { rtcpFirst: true }, outcome: 'intact' },
  { with: { rtcpOnlyMs: 1_500 }, outcome: 'intact' },
  { with: { sequenceStart: 65_500, timestampStart: 4_294_960_000 }, outcome: 'intact' },
  { with: { frozenTimestamps: true }, outcome: 'intact' },
  { with: { rtpPayloadType: 69 }, outcome: 'intact' },
  { with: { answerPayloadType: 98, elementaryStream: true }, outcome: 'intact' },
  { with: { answerPayloadType: 100, elementaryStream: true }, codec: 'h265', outcome: 'intact' },
  { with: { oddMediaPort: true }, outcome: 'intact' },
  // A stream is followed to another port only when the old one has fallen silent: until then it could be anybody's.
  { with: { mediaRebindAfter: 12 }, outcome: 'gaps', pictures: 40, also: ({ watched }) => expect(watched.events).toContainEqual(expect.objectContaining({ type: 'rebound' })) },
  { with: { transportStream: true }, outcome: /mpeg-ts|transport stream/i },
  { with: { lossPercent: 2, seed: 5 }, outcome: 'gaps', pictures: 60 },
  // What comes later than the receiver waits for is lost; nothing is ever shown twice or in the wrong order.
  { with: { reorderPercent: 10, duplicatePercent: 10, seed: 6 }, rich: true, outcome: 'in-order', pictures: 60, also: ({ watched }) => expect((watched.stream.stats as unknown as { duplicatePackets: number }).duplicatePackets).toBeGreaterThan(10) },
  // TCP
  { with: { tcpShortWritePercent: 3, seed: 7 }, on: 'tcp-passive', outcome: 'gaps', pictures: 60 },
  // Bytes between packets cost none of the pictures, unless they look like a packet.
  { with: { tcpGarbagePercent: 5, seed: 8 }, on: 'tcp-passive', outcome: 'gaps', pictures: 60 },
  { with: { dollarFraming: true }, on: 'tcp-passive', outcome: 'intact' },
  { with: { dollarFraming: true }, on: 'tcp-active', outcome: 'intact' },
  { with: { ehomePreamble: true }, on: 'tcp-passive', outcome: 'intact' },
  { with: { ehomePreamble: true }, on: 'tcp-active', outcome: 'intact' },
  { with: { tcpDribble: true }, on: 'tcp-passive', outcome: 'intact' },
  { with: { gluedPictures: true, gluedPackets: true, marker: 'never' }, on: 'tcp-active', signalling: 'tcp', codec: 'h265', outcome: 'intact' },
];

interface CatalogRow {
  with: Partial<Misbehaviour>;
  complete?: boolean;
  total?: number;
  name?: string;
}

/** What the catalogue of such a device must come to: four channels, the first named 高位视频. */
const catalogs: CatalogRow[] = [
  { with: { oneCatalogItemPerMessage: true } },
  { with: { sumNumOffset: 2 }, complete: false, total: 6 },
  { with: { unescapedXml: true }, name: RAW_TEXT },
  { with: { xmlNoProlog: true } },
  { with: { xmlLeadingBlanks: true } },
  { with: { xmlSpacedValues: true } },
  { with: { xmlCmdTypeAttribute: true } },
  { with: { xmlOddIntegers: true } },
  { with: { xmlParentPath: true } },
  { with: { xmlCharset: 'utf8-says-gb2312' } },
  { with: { xmlCharset: 'gb2312-says-utf8' } },
  { with: { xmlCharset: 'utf8-with-bom' } },
  { with: { unescapedXml: true, xmlNoProlog: true, oneCatalogItemPerMessage: true, duplicateCatalogItems: true }, name: RAW_TEXT },
];

/** Devices that nobody watches: what the platform says of them once they are silent. */
const silent: { with: Partial<Misbehaviour>; reason: RegExp }[] = [
  { with: { noUnregister: true }, reason: /^no keepalive for/ },
  { with: { keepaliveFromOtherPort: true, ignoreRefusedKeepalives: true }, reason: /no keepalive .*127\.0\.0\.1:\d+.*did not prove/ },
  { with: { natRebindAfterMs: 300, ignoreRefusedKeepalives: true }, reason: /no keepalive .*127\.0\.0\.1:\d+.*did not prove/ },
];

/** A few of the texts that stand for the real server in a test file. */
const REAL_SERVER = /\b(GbServer|TestPlatform|BerthwatchService|Street)\b/;

function testFiles(folder: string): string[] {
  return readdirSync(join(program.root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'simulators' ? [] : testFiles(path);
    return entry.name.endsWith('.test.ts') && entry.name !== 'misbehaviour.test.ts' ? [path] : [];
  });
}

it('every option of misbehaviour is used by a test against the real server', () => {
  const here = new Set([...rows, ...catalogs, ...silent].flatMap((row) => Object.keys(row.with)));
  const others = testFiles('test').map((path) => readFileSync(join(program.root, path), 'utf8')).filter((text) => REAL_SERVER.test(text) && text.includes('misbehaviour'));
  const unused = Object.keys(misbehaviourSchema.parse({})).filter((option) => !here.has(option) && !others.some((text) => new RegExp(`\\b${option}\\b`).test(text)));
  expect(unused).toEqual([]);
});

const nameOf = (parts: object): string => Object.entries(parts).map(([key, value]) => (value === true ? key : `${key} ${String(value)}`)).join(', ');

describe.skipIf(!hasProgram('ffmpeg'))('cameras that break the standard', () => {
  const folder = temporaryFolder();
  const platform = new TestPlatform({ keepalive: { intervalMs: 2_500, missed: 3 }, catalogQuietMs: 3_000 });
  const cameras: CameraSimulator[] = [];
  const watched: Watched[] = [];
  const moved = new Map<string, number>();
  const clips = { h264: '', h265: '', rich: '' };
  const truth: Partial<Record<keyof typeof clips, ClipPictures>> = {};
  const catalogFrom = rows.length;
  const silentFrom = catalogFrom + catalogs.length;

  beforeAll(async () => {
    for (const codec of ['h264', 'h265'] as const) {
      clips[codec] = makeTestClip(folder.path, codec, { seconds: 3, gop: 5, fps: 10 });
      truth[codec] = new ClipPictures(clips[codec]);
    }
    clips.rich = makeTestClip(folder.path, 'h264', { seconds: 3, gop: 5, fps: 10, size: '640x480', quality: 10 });
    truth.rich = new ClipPictures(clips.rich);
    await platform.start();
    platform.server.on('moved', ({ device }) => void moved.set(device.id, (moved.get(device.id) ?? 0) + 1));
    const { udpPort, tcpPort } = platform.server.address;
    const make = (n: number, row: Partial<Row>): CameraSimulator =>
      new CameraSimulator({
        server: { id: SERVER_ID, port: row.signalling === 'tcp' ? tcpPort : udpPort },
        device: { id: deviceId(n), password: PASSWORD },
        channels: [{ id: channelOf(n), clip: clips[row.rich ? 'rich' : (row.codec ?? 'h264')], audio: row.audio ?? null }],
        signalling: row.signalling ?? 'udp',
        registration: { expiresS: 1200, keepaliveMs: 700, backoffMinMs: 100, backoffMaxMs: 1_000 },
        catalog: { extraChannels: 3 },
        misbehaviour: row.with ?? {},
      });
    rows.forEach((row, n) => {
      cameras.push(make(n, row));
      watched.push(platform.watch(deviceId(n), channelOf(n), row.on ?? 'udp'));
    });
    catalogs.forEach((row, i) => cameras.push(make(catalogFrom + i, row)));
    silent.forEach((row, i) => cameras.push(make(silentFrom + i, row)));
    await Promise.all(cameras.map((camera) => camera.start()));
  });

  afterAll(async () => {
    await platform.close();
    await Promise.all(cameras.map((camera) => camera.close()));
    folder.remove();
  });

  it.each(rows.map((row, n) => ({ name: `${nameOf(row.with)} (${row.on ?? 'udp'}, ${row.codec ?? 'h264'}): ${String(row.outcome)}`, row, n })))('$name', async ({ row, n }) => {
    const { units, states, events } = watched[n] as Watched;
    const told = (): string => `${units.length} pictures; ${JSON.stringify(states.map(({ diagnosis }) => diagnosis))}; ${JSON.stringify(events.slice(-10))}`;
    const { outcome } = row;
    if (outcome instanceof RegExp) {
      await until('a diagnosis', () => states.some(({ diagnosis }) => diagnosis !== null && outcome.test(diagnosis)), 60_000, told);
      expect(units).toHaveLength(0);
    } else {
      await until('pictures', () => units.length >= (row.pictures ?? 25), 60_000, told);
      const got = units.slice(0, row.pictures ?? 25);
      const verdict = truth[row.rich ? 'rich' : (row.codec ?? 'h264')]?.judge(got);
      if (outcome === 'in-order') expect(['intact', 'gaps'], told()).toContainEqual(verdict);
      else expect(verdict, told()).toEqual(outcome);
      // By our clock, whatever the camera believes.
      for (const { capturedAt } of got) expect(Math.abs(capturedAt - Date.now())).toBeLessThan(300_000);
    }
    await row.also?.({ watched: watched[n] as Watched, camera: cameras[n] as CameraSimulator, device: platform.server.device(deviceId(n)), moved: () => moved.get(deviceId(n)) ?? 0 });
  });

  it.each(catalogs.map((row, i) => ({ name: nameOf(row.with), row, n: catalogFrom + i })))('catalogue: $name', async ({ row, n }) => {
    await until('online', () => platform.server.device(deviceId(n))?.online === true);
    const result = await platform.server.queryCatalog(deviceId(n));
    expect(result).toMatchObject({ complete: row.complete ?? true, total: row.total ?? 4 });
    expect(result.items).toHaveLength(4);
    expect(result.items.find(({ id }) => id === channelOf(n))).toMatchObject({ name: row.name ?? '高位视频' });
    // Keepalives are written by the same firmware.
    await until('a keepalive', () => platform.server.device(deviceId(n))?.lastKeepaliveAt != null);
  });

  it.each(silent.map((row, i) => ({ name: nameOf(row.with), row, n: silentFrom + i })))('goes offline, and the platform says why: $name', async ({ row, n }) => {
    await until('registered', () => platform.server.device(deviceId(n)) !== null);
    if (row.with.noUnregister) await (cameras[n] as CameraSimulator).close();
    await until('offline', () => platform.server.device(deviceId(n))?.online === false, 60_000);
    expect(platform.server.device(deviceId(n))?.offlineReason).toMatch(row.reason);
  });
});
