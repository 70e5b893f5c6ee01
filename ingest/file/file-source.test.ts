import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { sharedData } from '../../base/test-tools.js';
import type { AccessUnit } from '../access-unit.js';
import { FileSource, type FileSourceOptions } from './file-source.js';

const START = 1_767_225_600_000;
const folder = mkdtempSync(join(tmpdir(), 'berthwatch-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const source = (file: string, options: Partial<FileSourceOptions> = {}): FileSource =>
  new FileSource({ cameraId: 'c', file, startAt: START, speed: null, clock: systemClock, logger: silentLogger, ...options });

async function all(file: string, options: Partial<FileSourceOptions> = {}): Promise<AccessUnit[]> {
  const units: AccessUnit[] = [];
  for await (const unit of source(file, options).units(new AbortController().signal)) units.push(unit);
  return units;
}

function expectInvariants(units: readonly AccessUnit[]): void {
  expect(units[0]).toMatchObject({ keyframe: true, pts: 0, capturedAt: START, cameraId: 'c' });
  for (let i = 1; i < units.length; i++) {
    expect((units[i] as AccessUnit).pts).toBeGreaterThan((units[i - 1] as AccessUnit).pts);
    expect((units[i] as AccessUnit).capturedAt).toBeGreaterThan((units[i - 1] as AccessUnit).capturedAt);
  }
  for (const unit of units) expect(Buffer.from(unit.data.subarray(0, 4)).toString('hex')).toMatch(/^(00000001|000001)/);
}

describe('FileSource', () => {
  it.each([
    ['fixtures/h265.mp4', 'h265', 50],
    ['fixtures/h265.mpegts', 'h265', 50],
    ['../media/fixtures/h264.es', 'h264', 50],
    ['../media/fixtures/h265.es', 'h265', 50],
    ['../media/fixtures/h264-mpeg2.ps', 'h264', 50],
  ] as const)('%s: every picture, in order, with its time', async (name, codec, count) => {
    const units = await all(here(name));
    expectInvariants(units);
    expect(units.length).toBe(count);
    expect(units.every((unit) => unit.codec === codec && unit.compositionOffset === undefined)).toBe(true);
    expect(units.map((unit) => unit.keyframe)).toEqual(units.map((_, i) => i % 25 === 0));
    expect(units.map((unit) => unit.capturedAt - START)).toEqual(units.map((_, i) => i * 40));
  });

  it('B-frames: decode order, exact keyframe times, presentation times kept', async () => {
    const units = await all(here('fixtures/h264-bframes.mp4'));
    expectInvariants(units);
    expect(units.length).toBe(50);
    expect(units.filter((unit) => unit.keyframe).map((unit) => [unit.capturedAt - START, unit.compositionOffset ?? 0])).toEqual([[0, 0], [1000, 0]]);
    const shown = units.map((unit) => unit.pts + (unit.compositionOffset ?? 0));
    expect(units.some((unit) => (unit.compositionOffset ?? 0) !== 0)).toBe(true);
    expect([...shown].sort((a, b) => a - b)).toEqual(units.map((_, i) => i * 3600));
  });

  it('keyframes carry their parameter sets', async () => {
    const units = await all(here('fixtures/h265.mp4'));
    const kinds = [...Buffer.from((units[25] as AccessUnit).data).toString('hex').matchAll(/000001(..)/g)].map((m) => (parseInt(m[1] as string, 16) >> 1) & 63);
    expect(kinds.slice(0, 3)).toEqual([32, 33, 34]);
  });

  it.each([
    ['there is no recording', 'fixtures/missing.mp4', 'not-found'],
    ['is no file', 'fixtures', 'bad-input'],
    ['has no video', 'fixtures/audio-only.mp4', 'bad-input'],
    ['codec that is not supported', 'fixtures/mpeg4.mp4', 'bad-input'],
    ['is no recording', 'fixtures/README.md', 'bad-input'],
  ] as const)('says what is wrong: %s', async (message, name, kind) => {
    const fault = await all(here(name)).catch((error: unknown) => error);
    expect(fault).toMatchObject({ kind, message: expect.stringContaining(message) as unknown });
    expect((fault as Error).message).toContain(here(name));
  });

  it('does not follow playlists to other files', async () => {
    const playlist = join(folder, 'x.m3u8');
    writeFileSync(playlist, `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${here('fixtures/h265.mpegts')}\n#EXT-X-ENDLIST\n`);
    await expect(all(playlist)).rejects.toMatchObject({ kind: 'bad-input' });
  });

  it('stops when told to, without an error, and takes its child along', async () => {
    const abort = new AbortController();
    let seen = 0;
    for await (const unit of source(here('fixtures/h265.mp4')).units(abort.signal)) {
      expect(unit.cameraId).toBe('c');
      if (++seen === 3) abort.abort();
    }
    expect(seen).toBe(3);
    const before = new AbortController();
    before.abort();
    for await (const unit of source(here('fixtures/h265.mp4')).units(before.signal)) expect(unit).toBeUndefined();
  });

  it('keeps to a speed where one is set', async () => {
    const began = performance.now();
    const units = await all(here('fixtures/h265.mp4'), { speed: 10 });
    expect(units.length).toBe(50);
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  it.each(['street.mp4'])('replays the real recording %s to its end', async (name) => {
    const file = sharedData(`footage/${name}`);
    if (file === null) return;
    const units = await all(file);
    expectInvariants(units);
    const seconds = ((units.at(-1) as AccessUnit).capturedAt - START) / 1000;
    expect(seconds).toBeGreaterThan(25);
    expect(units.length / seconds).toBeGreaterThan(10);
  });
});
