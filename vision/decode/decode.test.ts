import { SoftwareScaleContext } from 'node-av';
import { describe, expect, it, vi } from 'vitest';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { clip, type ClipName } from '../fixtures/clips.js';
import { decodeUnits, runsOf, type DecodedUnit } from './gop-decoder.js';
import { pictureFromRgb, rgbTables, toRgb } from './picture.js';
import { alignedBox, scaleLuma, scaleRegion } from './scale.js';

interface Seen {
  index: number;
  damaged: boolean;
  width: number;
  height: number;
  /** Mean of the middle, R G B. */
  rgb: number[];
  luma: Uint8Array;
}

async function decode(units: readonly AccessUnit[], wanted: readonly number[]): Promise<{ seen: Seen[]; missing: number[] }> {
  const seen: Seen[] = [];
  const missing = await decodeUnits(units, wanted, ({ index, picture, damaged }: DecodedUnit) => {
    const planes = scaleRegion(picture, alignedBox(picture, { x: 0, y: 0, width: 40, height: 40 }), 1, 1);
    seen.push({ index, damaged, width: picture.width, height: picture.height, rgb: [...toRgb(planes, picture.matrix, picture.fullRange)], luma: Uint8Array.from(picture.y) });
  });
  return { seen, missing };
}

const all = (units: readonly AccessUnit[]): number[] => units.map((_, i) => i);

/** Overwrites part of a unit's payload, far behind its headers. */
function damage(units: readonly AccessUnit[], at: number, share: number): AccessUnit[] {
  return units.map((unit, i) => {
    if (i !== at) return unit;
    const data = Uint8Array.from(unit.data);
    for (let k = Math.floor(data.length * share); k < Math.min(data.length, Math.floor(data.length * share) + 60); k++) data[k]! ^= 0x5a;
    return { ...unit, data };
  });
}

function cut(units: readonly AccessUnit[], at: number): AccessUnit[] {
  return units.map((u, i) => (i === at ? { ...u, data: u.data.subarray(0, u.data.length >> 1) } : u));
}

describe('decodeUnits', () => {
  it.each<[ClipName, number]>([['pattern-h264', 12], ['pattern-h265', 12], ['red', 6], ['main10-h265', 2]])('decodes every unit of %s', async (name, count) => {
    const units = clip(name);
    const { seen, missing } = await decode(units, all(units));
    expect(missing).toEqual([]);
    expect(seen.map((s) => s.index)).toEqual(all(units));
    expect(units).toHaveLength(count);
    expect(seen.every((s) => !s.damaged && s.width === 192 && s.height === 128)).toBe(true);
  });

  it('gives true colours', async () => {
    const { seen } = await decode(clip('red'), [0]);
    const [r, g, b] = (seen[0] as Seen).rgb as [number, number, number];
    expect(Math.abs(r - 0xe0)).toBeLessThan(6);
    expect(Math.abs(g - 0x10)).toBeLessThan(8);
    expect(Math.abs(b - 0x10)).toBeLessThan(8);
  });

  it('names pictures by the unit that carried them, B pictures too', async () => {
    const units = clip('bframes-h264');
    const whole = await decode(units, all(units));
    expect(whole.missing).toEqual([]);
    const order = whole.seen.map((s) => s.index);
    expect([...order].sort((a, b) => a - b)).toEqual(all(units));
    expect(order).not.toEqual(all(units));
    // A picture is the same whether its neighbours are asked for or not.
    for (const index of [1, 2, 5]) {
      const { seen } = await decode(units, [index]);
      const same = whole.seen.find((s) => s.index === index) as Seen;
      expect(Buffer.compare((seen[0] as Seen).luma, same.luma)).toBe(0);
    }
  });

  it('starts at the keyframe before each wanted unit', async () => {
    const units = clip('pattern-h264');
    const { seen } = await decode(units, [8, 2]);
    expect(seen.map((s) => s.index)).toEqual([2, 8]);
    // Without the first GOP the second one decodes to the same picture.
    const second = await decode(units.slice(6), [2]);
    expect(Buffer.compare((second.seen[0] as Seen).luma, (seen[1] as Seen).luma)).toBe(0);
    expect(runsOf(units, [8, 2, 9]).map((r) => [r.from, r.to])).toEqual([[0, 2], [6, 9]]);
  });

  it('keeps a picture as it is while its visitor waits and others are decoded', async () => {
    const [pattern, red] = [clip('pattern-h264'), clip('red')];
    const sum = (plane: Uint8Array): number => plane.reduce((a, b) => a + b, 0);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const sums: number[] = [];
    const slow = decodeUnits(pattern, [0], async ({ picture }) => {
      sums.push(sum(picture.y));
      await held;
      sums.push(sum(picture.y));
    });
    await decodeUnits(red, [0, 1], () => undefined);
    release();
    expect(await slow).toEqual([]);
    expect(sums[1]).toBe(sums[0]);
  });

  it.each<ClipName>(['pattern-h264', 'pattern-h265'])('leaves the loop filters out of key frames of %s that nothing is decoded after, and only where asked', async (name) => {
    const units = clip(name);
    const lumas = async (wanted: readonly number[], how?: { fast: boolean }): Promise<Buffer[]> => {
      const out: Buffer[] = [];
      expect(await decodeUnits(units, wanted, ({ picture }) => void out.push(Buffer.from(picture.y)), how)).toEqual([]);
      return out;
    };
    const [key] = (await lumas([0])) as [Buffer];
    const [quick] = (await lumas([0], { fast: true })) as [Buffer];
    expect(quick.equals(key)).toBe(false);
    expect(quick.reduce((sum, value, i) => sum + Math.abs(value - (key[i] as number)), 0) / key.length).toBeLessThan(4);
    // Predicted pictures would carry the difference on.
    expect(await lumas([0, 2], { fast: true })).toEqual(await lumas([0, 2]));
    expect(await lumas([2], { fast: true })).toEqual(await lumas([2]));
  });

  it('reports what has no keyframe before it', async () => {
    const units = clip('pattern-h264').slice(1);
    const { seen, missing } = await decode(units, [0, 3, 6]);
    expect(missing).toEqual([0, 3]);
    expect(seen.map((s) => s.index)).toEqual([6]);
  });

  it('refuses indexes outside the units', async () => {
    await expect(decode(clip('red'), [6])).rejects.toMatchObject({ kind: 'bad-input', code: 'VISION_FRAME_INDEX' });
  });

  it.each<[string, ClipName, (units: AccessUnit[]) => AccessUnit[], number[]]>([
    ['flipped bits in H.264', 'pattern-h264', (units) => damage(units, 2, 0.5), [2, 3, 4, 5]],
    ['a cut unit in H.264', 'pattern-h264', (units) => cut(units, 2), [2, 3, 4, 5]],
    // Units 3 to 5 have moved to 2 to 4. (Flipped bits in H.265 are just other pictures to FFmpeg: no concealment, no flag.)
    ['a lost unit in H.265', 'pattern-h265', (units) => units.filter((_, i) => i !== 2), [2, 3, 4]],
  ])('flags %s until the next keyframe', async (_, name, harm, expected) => {
    const units = harm(clip(name));
    const { seen } = await decode(units, all(units));
    expect(seen.filter((s) => s.damaged).map((s) => s.index)).toEqual(expected);
    expect(seen).toHaveLength(units.length);
  });

  it.each<ClipName>(['pattern-h264', 'pattern-h265'])('flags a cut keyframe of %s or gives no picture', async (name) => {
    const units = cut(clip(name), 0);
    const { seen, missing } = await decode(units, [0, 6]);
    expect(seen.filter((s) => !s.damaged).map((s) => s.index)).toEqual([6]);
    expect([...missing, ...seen.map((s) => s.index)].sort((a, b) => a - b)).toEqual([0, 6]);
  });

  it('survives noise in place of pictures', async () => {
    const units = clip('pattern-h264').map((u, i) => ({ ...u, data: Uint8Array.from({ length: 400 }, (_, k) => (k * 37 + i * 11) & 0xff) }));
    const { seen, missing } = await decode(units, all(units));
    expect(seen).toEqual([]);
    expect(missing).toHaveLength(units.length);
  });

  it('refuses pictures of absurd size before memory is taken for them', async () => {
    // SPS of a 16384×16384 stream: baseline, 1024×1024 macroblocks.
    const bits = '01000010' + '00000000' + '00111100' + '1' + '1' + '1' + '1' + '1' + '010' + '0' + ue(1023) + ue(1023) + '1' + '1' + '0' + '0' + '1';
    const sps = Uint8Array.from(bits.padEnd(Math.ceil(bits.length / 8) * 8, '0').match(/.{8}/g) as string[], (b) => parseInt(b, 2));
    const unit = clip('pattern-h264')[0] as AccessUnit;
    const rest = Buffer.from(unit.data);
    const pps = rest.indexOf(Buffer.from([0, 0, 1, 0x68]));
    const data = Buffer.concat([Buffer.from([0, 0, 0, 1, 0x67]), sps, rest.subarray(pps)]);
    const before = process.memoryUsage.rss();
    const { seen } = await decode([{ ...unit, data }], [0]);
    expect(seen).toEqual([]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 ** 2);
  });
});

function ue(value: number): string {
  const code = (value + 1).toString(2);
  return '0'.repeat(code.length - 1) + code;
}

describe('pictures', () => {
  it('turns studio-range grey and primaries into RGB', () => {
    const one = (y: number, u: number, v: number, matrix: 'bt601' | 'bt709', full: boolean): number[] => [
      ...toRgb({ width: 1, height: 1, y: Uint8Array.of(y), u: Uint8Array.of(u), v: Uint8Array.of(v) }, matrix, full),
    ];
    expect(one(16, 128, 128, 'bt709', false)).toEqual([0, 0, 0]);
    expect(one(235, 128, 128, 'bt709', false)).toEqual([255, 255, 255]);
    expect(one(128, 128, 128, 'bt601', true)).toEqual([128, 128, 128]);
    // BT.601 studio red and BT.709 studio blue, from the standards' tables.
    expect(one(81, 90, 240, 'bt601', false).map((v, i) => Math.abs(v - [255, 0, 0][i]!) < 3)).toEqual([true, true, true]);
    expect(one(32, 240, 118, 'bt709', false).map((v, i) => Math.abs(v - [0, 0, 255][i]!) < 3)).toEqual([true, true, true]);
    expect(rgbTables('bt709', false)).toBe(rgbTables('bt709', false));
  });

  it('takes RGB in, and gives it back, of odd sizes too', () => {
    const [width, height] = [5, 3];
    const colour = (x: number): number[] => (x < 4 ? [200, 40, 60] : [20, 90, 180]);
    const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => colour(Math.floor(i / 3) % width)[i % 3] as number);
    const picture = pictureFromRgb(rgb, width, height);
    expect([picture.strideC, picture.u.length]).toEqual([3, 6]);
    const back = toRgb(scaleRegion(picture, { x: 0, y: 0, width: 4, height: 2 }, 4, 2), picture.matrix, picture.fullRange);
    for (let i = 0; i < 3 * 3; i++) expect(Math.abs((back[i] as number) - (colour(0)[i % 3] as number))).toBeLessThanOrEqual(2);
    expect(() => pictureFromRgb(rgb, 6, 3)).toThrow(/45 bytes are no RGB picture of 6x3/);
    expect(() => pictureFromRgb(new Uint8Array(3), 1, 1)).toThrow(/at least 2x2/);
  });

  it('scales luma alone as it does beside colour', () => {
    const rgb = Uint8Array.from({ length: 120 * 90 * 3 }, (_, i) => (i * 7919 + (i >> 5)) & 255);
    const picture = pictureFromRgb(rgb, 120, 90);
    for (const [box, width, height] of [[{ x: 0, y: 0, width: 120, height: 90 }, 64, 36], [{ x: 10, y: 22, width: 71, height: 48 }, 24, 16], [{ x: 4, y: 4, width: 20, height: 12 }, 24, 16]] as const) {
      expect(scaleLuma(picture, box, width, height)).toEqual(scaleRegion(picture, box, width, height).y);
    }
  });

  it('scales a cut as it did before, whether its scaler was kept or not', () => {
    const rgb = Uint8Array.from({ length: 160 * 120 * 3 }, (_, i) => (i * 7919 + (i >> 5)) & 255);
    const picture = pictureFromRgb(rgb, 160, 120);
    const cut = (size: number): Uint8Array => scaleRegion(picture, { x: 10, y: 22, width: size, height: 48 }, 24, 16).y;
    const first = cut(70);
    expect(cut(70)).toEqual(first);
    // More sizes than are kept.
    for (let round = 0; round < 3; round++) for (let size = 20; size < 140; size++) cut(size);
    expect(cut(70)).toEqual(first);
  });

  it('names a cut that could not be scaled, and scales the next one of its size anew', () => {
    const rgb = Uint8Array.from({ length: 160 * 120 * 3 }, (_, i) => (i * 7919 + (i >> 5)) & 255);
    const picture = pictureFromRgb(rgb, 160, 120);
    const cut = (): Uint8Array => scaleRegion(picture, { x: 10, y: 22, width: 66, height: 44 }, 24, 16).y;
    const first = cut();
    const made = vi.spyOn(SoftwareScaleContext.prototype, 'getContext');
    const scales = vi.spyOn(SoftwareScaleContext.prototype, 'scaleSync').mockReturnValueOnce(-12);
    try {
      expect(cut).toThrow('scaling 66x44 to 24x16 gave -12 rows');
      expect(made).not.toHaveBeenCalled();
      expect(cut()).toEqual(first);
      expect(made).toHaveBeenCalledTimes(1);
    } finally {
      made.mockRestore();
      scales.mockRestore();
    }
  });

  it('cuts on whole chroma samples inside the picture', () => {
    const picture = { width: 101, height: 60 };
    expect(alignedBox(picture, { x: -5, y: 3, width: 20, height: 4 })).toEqual({ x: 0, y: 2, width: 16, height: 6 });
    expect(alignedBox(picture, { x: 99, y: 59, width: 50, height: 50 })).toEqual({ x: 98, y: 58, width: 3, height: 2 });
    expect(alignedBox(picture, { x: 500, y: 500, width: 1, height: 1 })).toEqual({ x: 98, y: 58, width: 3, height: 2 });
  });
});
