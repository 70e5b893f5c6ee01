import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import type { AccessUnit } from '../access-unit.js';
import { h264 } from './h264.js';
import { h265 } from './h265.js';
import { splitAnnexB } from './nal-units.js';
import { ParameterSets } from './parameter-sets.js';
import { pumpPackets } from './pipeline.js';
import { fixture, Packetizer } from './test-muxer.js';
import type { NalSyntax, VideoFormat } from './video-format.js';

const folder = mkdtempSync(join(tmpdir(), 'berthwatch-es-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function formats(es: Buffer, syntax: NalSyntax): VideoFormat[] {
  return splitAnnexB(es).flatMap(({ from, to }) => syntax.format(es.subarray(from, to)) ?? []);
}

describe('sequence parameter sets', () => {
  it.each([
    ['h264.es', h264, { codec: 'h264', width: 64, height: 48, profile: 100, frameRate: 25 }],
    ['h264-slices.es', h264, { codec: 'h264', width: 96, height: 80, frameRate: 25 }],
    ['h265.es', h265, { codec: 'h265', width: 64, height: 48, profile: 1 }],
  ] as const)('%s', (name, syntax, expected) => {
    const found = formats(fixture(name), syntax);
    expect(found.length).toBeGreaterThan(0);
    for (const format of found) expect(format).toMatchObject(expected);
  });

  it('neither codec takes the other for its own', () => {
    expect(formats(fixture('h265.es'), h264)).toEqual([]);
    expect(formats(fixture('h264.es'), h265)).toEqual([]);
  });

  it('a cut set is none', () => {
    for (const [name, syntax] of [['h264.es', h264], ['h265.es', h265]] as const) {
      const es = fixture(name);
      const span = splitAnnexB(es).find(({ from, to }) => syntax.format(es.subarray(from, to)) !== null) as { from: number; to: number };
      for (let end = span.from; end < span.from + 8; end++) expect(syntax.format(es.subarray(span.from, end))).toBeNull();
    }
  });

  it('keeps a bounded number of sets', () => {
    const sets = new ParameterSets(h264);
    for (let id = 0; id < 256; id++) {
      // pps_id as ue(v): id + 1 in binary behind as many zeros.
      const binary = (id + 1).toString(2);
      const bits = `${'0'.repeat(binary.length - 1)}${binary}1`.padEnd(64, '0');
      const bytes = [0x68, ...(bits.match(/.{8}/g) as string[]).map((byte) => parseInt(byte, 2))];
      expect(h264.parameterSet(Buffer.from(bytes))).toBe(`pps:${id}`);
      sets.learn(Buffer.from(bytes));
    }
    const sps = fixture('h264.es');
    const span = splitAnnexB(sps).find(({ from }) => ((sps[from] as number) & 0x1f) === 7) as { from: number; to: number };
    sets.learn(sps.subarray(span.from, span.to));
    expect(sets.inOrder()?.length).toBe(64);
  });
});

describe.skipIf(!haveTool('ffmpeg'))('what ffmpeg makes', () => {
  const make = (name: string, args: string): string => {
    const file = join(folder, name);
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', ...args.split(' '), file]);
    return file;
  };

  it.each([
    ['1080p with cropping', 'libx264', '1920x1080', 'h264', h264],
    ['odd sizes', 'libx264', '334x226', 'h264', h264],
    ['1080p with cropping', 'libx265', '1920x1080', 'h265', h265],
    ['odd sizes', 'libx265', '334x226', 'h265', h265],
  ] as const)('%s by %s', (_name, encoder, size, format, syntax) => {
    const quiet = encoder === 'libx265' ? '-x265-params log-level=none' : '-preset ultrafast';
    const file = make(`${encoder}-${size}.es`, `-i testsrc=s=${size}:r=25:d=0.04 -c:v ${encoder} ${quiet} -pix_fmt yuv420p -f ${format === 'h265' ? 'hevc' : 'h264'}`);
    const [width, height] = size.split('x').map(Number);
    expect(formats(readFileSync(file), syntax)[0]).toMatchObject({ codec: format, width, height });
  });

  it.each(['mpeg', 'vob'])('large pictures in a program stream by -f %s', (muxer) => {
    const file = make(`big-${muxer}.ps`, `-i testsrc2=s=640x360:r=25:d=2 -c:v libx264 -preset ultrafast -bf 0 -g 25 -qp 12 -pix_fmt yuv420p -f ${muxer}`);
    const bytes = readFileSync(file);
    expect(bytes.length).toBeGreaterThan(400_000);
    const units: AccessUnit[] = [];
    const stats = pumpPackets(new Packetizer().packets(bytes, 0), { cameraId: 'c', reorder: false, onUnit: (unit) => units.push(unit), onEvent: () => undefined }, 0, 4);
    expect(stats).toMatchObject({ units: 50, keyframes: 2, damages: 0 });
    units.forEach((unit, i) => expect(Math.abs(unit.pts - (units[0] as AccessUnit).pts - i * 3600)).toBeLessThan(2));
    // Byte for byte what the encoder made: FFmpeg decodes it without a complaint.
    const es = join(folder, `big-${muxer}.h264`);
    const all = Buffer.concat(units.map(({ data }) => data));
    execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-f', 'h264', '-i', '-', '-f', 'null', '-'], { input: all });
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', file, '-c', 'copy', '-f', 'h264', es]);
    const wanted = readFileSync(es);
    expect(splitAnnexB(all, 1e6).map((s) => s.to - s.from)).toEqual(splitAnnexB(wanted, 1e6).map((s) => s.to - s.from));
  });
});
