import { describe, expect, it } from 'vitest';
import type { EvidenceInstant } from '../parking/model/visit.js';
import { MAX_PICTURE_ID_LENGTH, pictureId, planPictures } from './plan.js';
import { sampleVisit } from './testing/sample-visit.js';

const visit = sampleVisit(1_000_000);
const box = { x: 10, y: 10, width: 100, height: 80 };
const instant = (shows: EvidenceInstant['shows'], capturedAt: number, vehicleBox: EvidenceInstant['vehicleBox'] = box): EvidenceInstant => ({
  shows,
  capturedAt,
  vehicleBox,
  plateCorners: shows === 'plate' ? [[1, 1], [2, 1], [2, 2], [1, 2]] : null,
});

describe('planPictures', () => {
  it('makes two panoramas and a close-up for an enter', () => {
    const plans = planPictures({ type: 'entered', at: 1, visit, instants: [instant('approaching', 1), instant('parked', 2), instant('plate', 3)] });
    expect(plans.map((p) => [p.pictureId, p.kind, p.role, p.takenAt])).toEqual([
      [`${visit.uid}-E1`, 'panorama', 'approaching', 1],
      [`${visit.uid}-E2`, 'panorama', 'parked', 2],
      [`${visit.uid}-E3`, 'close-up', 'plate', 3],
    ]);
  });

  it('makes three panoramas and a close-up for a leave; without a plate frame the close-up shows the parked vehicle', () => {
    const plans = planPictures({ type: 'left', at: 1, visit, instants: [instant('parked', 1), instant('leaving', 2), instant('vacated', 3, null)] });
    expect(plans.map((p) => [p.pictureId.slice(-3), p.kind, p.role])).toEqual([
      ['-L1', 'panorama', 'parked'],
      ['-L2', 'panorama', 'leaving'],
      ['-L3', 'panorama', 'vacated'],
      ['-L4', 'close-up', 'parked'],
    ]);
  });

  it('tells the pictures of two corrections apart', () => {
    const before = { status: 'unread' } as const;
    const ids = [1_002_000, 1_004_000].map((at) => planPictures({ type: 'corrected', at, visit, before, instants: [instant('plate', at)] })[0]?.pictureId);
    expect(new Set(ids).size).toBe(2);
  });

  it('keeps ids within 60 characters and apart', () => {
    const uids = [`${'X'.repeat(42)}120260301090000000`, `${'X'.repeat(42)}220260301090000000`];
    expect(uids[0]).toHaveLength(60);
    const ids = uids.flatMap((uid) => ['E1', 'E2', 'C4x2z-1'].map((s) => pictureId(uid, s)));
    for (const id of ids) expect(id.length).toBeLessThanOrEqual(MAX_PICTURE_ID_LENGTH);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toMatch(/20260301090000000-E1$/);
  });
});
