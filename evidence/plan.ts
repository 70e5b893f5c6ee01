import type { Box, Quad } from '../base/geometry.js';
import type { EvidenceInstant, ParkingEvent, Visit } from '../parking/model/visit.js';

/** Longest picture id a platform takes. */
export const MAX_PICTURE_ID_LENGTH = 60;

export type VisitEvent = Exclude<ParkingEvent, { type: 'camera-health' }>;

/** One picture to be made. */
export interface PicturePlan {
  /** Unique and deterministic: uid, a letter for the record (E enter, L leave, C correction) and a number. */
  pictureId: string;
  of: 'enter' | 'leave' | 'correction';
  kind: 'panorama' | 'close-up';
  role: EvidenceInstant['shows'];
  /** Unix ms of the frame to cut it from. */
  takenAt: number;
  vehicleBox: Box | null;
  plateCorners: Quad | null;
}

/** FNV-1a over what was cut off, in base 36. */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) as number), 0x01000193);
  return (hash >>> 0).toString(36).padStart(7, '0');
}

/** `<uid>-<suffix>`; a uid too long for that is cut in front of its time stamp and carries a digest of itself. */
export function pictureId(uid: string, suffix: string): string {
  const room = MAX_PICTURE_ID_LENGTH - suffix.length - 1;
  const name = uid.length <= room ? uid : uid.slice(0, room - 7 - 17) + digest(uid) + uid.slice(-17);
  return `${name}-${suffix}`;
}

/** The frame for the close-up: the best one of the plate, else the parked vehicle. */
function closeUpInstant(instants: readonly EvidenceInstant[]): EvidenceInstant | null {
  const withVehicle = instants.filter((i) => i.vehicleBox !== null);
  return withVehicle.find((i) => i.shows === 'plate') ?? withVehicle.find((i) => i.shows === 'parked') ?? withVehicle[0] ?? null;
}

const RECORDS = { entered: { of: 'enter', letter: 'E' }, left: { of: 'leave', letter: 'L' }, corrected: { of: 'correction', letter: 'C' } } as const;

/** Tells corrections of one visit apart: the time of the reading, counted from the entering. */
function correctionMark(visit: Visit, at: number): string {
  return Math.max(0, at - visit.enteredAt).toString(36);
}

/**
 * The pictures an event needs (T/QME 0013-2024 7.4.3.1.4 and 7.4.3.1.6): its panoramas in order, then one close-up of
 * vehicle and plate. A correction has the close-up alone, re-captured (补拍) while the vehicle stood there. Pure.
 */
export function planPictures(event: VisitEvent): PicturePlan[] {
  const { of, letter } = RECORDS[event.type];
  const prefix = event.type === 'corrected' ? `${letter}${correctionMark(event.visit, event.at)}-` : letter;
  const plans: PicturePlan[] = [];
  const add = (kind: PicturePlan['kind'], i: EvidenceInstant): void => {
    plans.push({
      pictureId: pictureId(event.visit.uid, `${prefix}${plans.length + 1}`),
      of,
      kind,
      role: i.shows,
      takenAt: i.capturedAt,
      vehicleBox: i.vehicleBox,
      plateCorners: i.plateCorners,
    });
  };
  if (event.type !== 'corrected') for (const i of event.instants) if (i.shows !== 'plate') add('panorama', i);
  const closeUp = closeUpInstant(event.instants);
  if (closeUp) add('close-up', closeUp);
  return plans;
}
