import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { BerthwatchError } from '../base/errors.js';
import { seededRandom } from '../base/fuzz-target.js';
import type { Berth } from '../parking/model/berth.js';
import type { EvidenceInstant } from '../parking/model/visit.js';
import type { EvidenceCamera, RgbFrame } from './camera.js';
import { closeUpWindow, makeCloseUp } from './close-up.js';
import { encodeJpeg, MAX_PICTURE_BYTES } from './jpeg.js';
import { makeEvidence, type EvidenceDeps } from './make.js';
import { layOut, plateText, watermarkItems } from './overlay/watermark.js';
import { makePanorama } from './panorama.js';
import { sampleVisit } from './testing/sample-visit.js';

const T = 1_772_326_800_000;

/** A street-like test picture: sky, road, and as much noise as asked for, different for each time. */
function picture(width: number, height: number, capturedAt: number, noise = 12): RgbFrame {
  const rgb = new Uint8Array(width * height * 3);
  const random = seededRandom(Math.floor(capturedAt / 100));
  for (let y = 0, o = 0; y < height; y++) {
    const base = y < height / 3 ? 200 : 90;
    for (let x = 0; x < width; x++) {
      const grain = (random() - 0.5) * noise * 2;
      const value = base + ((x >> 6) & 1) * 12 + grain;
      rgb[o++] = value;
      rgb[o++] = value + 3;
      rgb[o++] = value - 4;
    }
  }
  return { width, height, capturedAt, rgb };
}

const berth: Berth = {
  id: 'b2',
  number: 'A002',
  roadSection: '香港中路',
  lotCode: '3702000001',
  kind: 'parallel',
  polygon: [[900, 500], [1100, 520], [1000, 700], [750, 660]],
  lengthM: 6,
  widthM: 2.4,
  drivingDirection: [0, -1],
  timeLimitMinutes: 120,
  specialUse: null,
};
const camera: EvidenceCamera = {
  site: { cameraId: 'cam', width: 1920, height: 1080, berths: [berth] },
  deviceNumber: '37020000001320000001',
  shootingDirection: '由东向西',
};
const visit = sampleVisit(T, T + 60_000);
const box = { x: 800, y: 450, width: 300, height: 220 };
const corners = [[900, 600], [990, 605], [990, 632], [900, 628]] as const;
const left = {
  type: 'left' as const,
  at: T + 64_000,
  visit,
  instants: [
    { shows: 'parked', capturedAt: T + 58_000, vehicleBox: box, plateCorners: null },
    { shows: 'leaving', capturedAt: T + 59_200, vehicleBox: box, plateCorners: null },
    { shows: 'vacated', capturedAt: T + 62_000, vehicleBox: null, plateCorners: null },
    { shows: 'plate', capturedAt: T + 58_000, vehicleBox: box, plateCorners: corners },
  ] satisfies EvidenceInstant[],
};

function fakes(frameAt?: EvidenceDeps['frameAt']): EvidenceDeps & { stored: Map<string, Uint8Array>; asked: number[] } {
  const stored = new Map<string, Uint8Array>();
  const asked: number[] = [];
  return {
    stored,
    asked,
    camera,
    frameAt: async (id, t) => {
      asked.push(t);
      return frameAt ? frameAt(id, t) : picture(1920, 1080, t);
    },
    objectStore: { put: async (key, bytes) => void stored.set(key, bytes) },
  };
}

describe('makeEvidence', () => {
  it('makes three panoramas and a close-up, each once, all within the limits, and the same again', async () => {
    const first = fakes();
    const result = await makeEvidence({ event: left }, first);
    expect(result.missing).toEqual([]);
    expect(result.pictures.map((p) => [p.pictureId.slice(-2), p.kind, p.role, p.takenAt - T])).toEqual([
      ['L1', 'panorama', 'parked', 58_000],
      ['L2', 'panorama', 'leaving', 59_200],
      ['L3', 'panorama', 'vacated', 62_000],
      ['L4', 'close-up', 'plate', 58_000],
    ]);
    expect(first.asked).toEqual([T + 58_000, T + 59_200, T + 62_000]);
    for (const p of result.pictures) {
      const bytes = first.stored.get(p.key) as Uint8Array;
      expect(p.bytes).toBe(bytes.byteLength);
      expect(bytes.byteLength).toBeLessThanOrEqual(MAX_PICTURE_BYTES);
      const meta = await sharp(bytes).metadata();
      expect(meta).toMatchObject({ format: 'jpeg', channels: 3, width: p.width, height: p.height });
      if (p.kind === 'panorama') expect([p.width, p.height, p.meetsResolution]).toEqual([1920, 1080, true]);
      else expect([p.width, p.height]).toEqual([1280, 720]);
    }
    const again = fakes();
    expect(await makeEvidence({ event: left }, again)).toEqual(result);
    for (const [key, bytes] of first.stored) expect(Buffer.from(again.stored.get(key) as Uint8Array).equals(Buffer.from(bytes))).toBe(true);
  });

  it('says what is missing where the footage is gone, and makes the rest', async () => {
    const deps = fakes(async (_, t) => {
      if (t === T + 59_200) throw new BerthwatchError('not-found', 'X', 'the segment was deleted');
      return picture(1920, 1080, t === T + 62_000 ? t + 5_000 : t);
    });
    const result = await makeEvidence({ event: left }, deps);
    expect(result.pictures.map((p) => p.pictureId.slice(-2))).toEqual(['L1', 'L4']);
    expect(result.missing.map((m) => m.pictureId.slice(-2))).toEqual(['L2', 'L3']);
    expect(result.missing[0]?.reason).toMatch(/deleted/);
  });

  it('fails as a whole, to be tried again, where a part of the house does not work now', async () => {
    const down = fakes(async () => Promise.reject(new BerthwatchError('unavailable', 'X', 'disk')));
    await expect(makeEvidence({ event: left }, down)).rejects.toMatchObject({ retryable: true });
    const gone = { ...left, visit: { ...visit, berthId: 'b9' } };
    await expect(makeEvidence({ event: gone }, fakes())).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('keeps a small camera\'s size and says that it is small', async () => {
    const result = await makeEvidence({ event: left }, fakes(async (_, t) => picture(640, 352, t)));
    expect(result.pictures.map((p) => [p.kind, p.width, p.height, p.meetsResolution]).slice(0, 1)).toEqual([['panorama', 640, 352, false]]);
  });
});

describe('pictures', () => {
  const subject = { camera, berth, plate: visit.plate };

  it('changes nothing but the band, the outline and the label', async () => {
    const frame = picture(1920, 1080, T, 0);
    const { bytes } = await makePanorama(frame, { role: 'parked' }, subject);
    const { data } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    const differs = (x: number, y: number): boolean => [0, 1, 2].some((c) => Math.abs((data[(y * 1920 + x) * 3 + c] as number) - (frame.rgb[(y * 1920 + x) * 3 + c] as number)) > 40);
    let outside = 0;
    let onLine = 0;
    for (let y = 0; y < 1080; y += 3) {
      for (let x = 0; x < 1920; x += 3) {
        if (!differs(x, y)) continue;
        if (y > 90 && !(x > 730 && x < 1120 && y > 450 && y < 720)) outside += 1;
      }
    }
    for (let i = 0; i <= 20; i++) if (differs(Math.round(900 + i * 10), Math.round(500 + i))) onLine += 1;
    expect(outside).toBe(0);
    expect(onLine).toBeGreaterThan(18);
    expect(differs(40, 20) || differs(100, 20)).toBe(true);
  });

  it('lowers the quality until the file fits, in the picture\'s own size, or says that it cannot', async () => {
    const noisy = picture(1920, 1080, T, 120);
    const { bytes, quality } = await encodeJpeg(noisy, []);
    expect(bytes.byteLength).toBeLessThanOrEqual(MAX_PICTURE_BYTES);
    expect(quality).toBeLessThan(69);
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 1920, height: 1080 });
    await expect(encodeJpeg(noisy, [], 20_000)).rejects.toThrow(/does not fit/);
    await expect(encodeJpeg({ width: 10, height: 10, rgb: new Uint8Array(299) }, [])).rejects.toThrow(/300 bytes/);
  });

  it.each([
    ['a vehicle in the corner', { x: 1850, y: 1000, width: 300, height: 220 }],
    ['a vehicle that fills the picture', { x: -50, y: -50, width: 2100, height: 1200 }],
    ['a tiny one', { x: 3, y: 3, width: 8, height: 6 }],
  ])('cuts a close-up inside the picture: %s', async (_, vehicleBox) => {
    const window = closeUpWindow({ width: 1920, height: 1080 }, vehicleBox);
    expect(window.x >= 0 && window.y >= 0 && window.x + window.width <= 1920 && window.y + window.height <= 1080).toBe(true);
    const plateCorners = [[vehicleBox.x, vehicleBox.y], [vehicleBox.x + 90, vehicleBox.y], [vehicleBox.x + 90, vehicleBox.y + 30], [vehicleBox.x, vehicleBox.y + 30]] as const;
    const made = await makeCloseUp(picture(1920, 1080, T, 0), { role: 'plate', vehicleBox, plateCorners }, subject);
    expect(made.width).toBeGreaterThanOrEqual(1280);
    expect(made.height).toBeGreaterThanOrEqual(720);
  });

  it('survives pictures smaller than their watermark', async () => {
    for (const [w, h] of [[64, 48], [16, 16], [320, 24]] as const) {
      const frame = picture(w, h, T, 0);
      await expect(makePanorama(frame, { role: 'parked' }, subject)).resolves.toMatchObject({ width: w, height: h });
      await expect(makeCloseUp(frame, { role: 'plate', vehicleBox: { x: 2, y: 2, width: 9, height: 9 }, plateCorners: null }, subject)).resolves.toBeDefined();
    }
  });
});

describe('watermark', () => {
  it('carries every item of 7.4.3.1.6 5)', () => {
    expect(watermarkItems(camera, berth, visit.plate, T + 999, 'leaving')).toEqual([
      '时间：2026-03-01 09:00:00',
      '停车地点：香港中路 A002泊位',
      '拍摄方向：由东向西',
      '设备编号：37020000001320000001',
      '车牌号码：鲁B12345（蓝）',
      '限时停车：120分钟',
      '驶离泊位',
    ]);
    expect(plateText({ status: 'none' })).toBe('无车牌');
    expect(plateText({ status: 'unread' })).toBe('未识别');
  });

  it('sets items into rows that fit', () => {
    expect(layOut(['一二三', '四五', '六'], 7)).toEqual(['一二三　四五', '六']);
    expect(layOut(['一二三四五六七八'], 4)).toEqual(['一二三…']);
    expect(layOut([], 4)).toEqual([]);
  });
});
