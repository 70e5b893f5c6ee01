import { createHash } from 'node:crypto';
import { beijingCompact } from '../base/beijing-time.js';
import { BerthwatchError, messageOf } from '../base/errors.js';
import type { EvidenceCamera, RgbFrame } from './camera.js';
import { makeCloseUp } from './close-up.js';
import { makePanorama } from './panorama.js';
import { planPictures, type PicturePlan, type VisitEvent } from './plan.js';

/** 图片分辨率不小于 1920*1080 (T/QME 0013-2024 7.4.3.1.4). */
export const REQUIRED_WIDTH = 1920;
export const REQUIRED_HEIGHT = 1080;
/** A frame farther from the wanted instant than this is another picture. */
const SAME_FRAME_MS = 500;

export interface EvidenceJob {
  event: VisitEvent;
}

export interface EvidenceDeps {
  camera: EvidenceCamera;
  /** The picture of the footage log at that time. Throws BerthwatchError not-found where the log does not have it (any more). */
  frameAt(cameraId: string, capturedAt: number): Promise<RgbFrame>;
  objectStore: { put(key: string, bytes: Uint8Array, contentType: string): Promise<unknown> };
}

/** A picture that was made and stored. */
export interface EvidencePicture {
  pictureId: string;
  of: PicturePlan['of'];
  kind: PicturePlan['kind'];
  role: PicturePlan['role'];
  /** Key in the object store. */
  key: string;
  /** Hex. */
  sha256: string;
  bytes: number;
  width: number;
  height: number;
  /** Unix ms of the frame. */
  takenAt: number;
  /** False for a panorama from a camera that gives less than 1920×1080: it is stored as it is, and said to be small. */
  meetsResolution: boolean;
}

export interface EvidenceResult {
  pictures: EvidencePicture[];
  /** Pictures that can never be made, because the footage is gone. */
  missing: { pictureId: string; reason: string }[];
}

/** `evidence/<Beijing day of entering>/<uid>/<picture>.jpg`; what is no letter or digit in a uid becomes `_`. */
export function pictureKey(event: VisitEvent, id: string): string {
  const day = beijingCompact(event.visit.enteredAt).slice(0, 8);
  const safe = (text: string): string => text.replace(/[^0-9A-Za-z-]/g, '_');
  return `evidence/${day}/${safe(event.visit.uid)}/${safe(id)}.jpg`;
}

/**
 * Makes and stores the pictures of an event. The same job over the same footage gives the same keys and bytes, so a job may
 * run again at any time.
 * @throws BerthwatchError not-found where the site does not have the visit's berth; what `frameAt` (but for not-found) and
 *   `put` throw
 */
export async function makeEvidence(job: EvidenceJob, deps: EvidenceDeps): Promise<EvidenceResult> {
  const { event } = job;
  const { visit } = event;
  const berth = deps.camera.site.berths.find((b) => b.id === visit.berthId);
  if (!berth) {
    throw new BerthwatchError('not-found', 'EVIDENCE_BERTH', `camera ${visit.cameraId} has no berth ${visit.berthId} (visit ${visit.uid}); was it removed from the site?`);
  }
  const subject = { camera: deps.camera, berth, plate: visit.plate };
  const result: EvidenceResult = { pictures: [], missing: [] };
  const plans = planPictures(event);
  // By time, so that a frame wanted twice is decoded once and only one is held.
  const order = plans.map((plan, i) => ({ plan, i })).sort((a, b) => a.plan.takenAt - b.plan.takenAt || a.i - b.i);
  const made = new Map<number, EvidencePicture>();
  let held: { wanted: number; frame: RgbFrame } | undefined;
  for (const { plan, i } of order) {
    if (held === undefined || held.wanted !== plan.takenAt) {
      held = undefined;
      try {
        held = { wanted: plan.takenAt, frame: await frameNear(deps, visit.cameraId, plan.takenAt) };
      } catch (error) {
        if (!(error instanceof BerthwatchError) || error.kind !== 'not-found') throw error;
        result.missing.push({ pictureId: plan.pictureId, reason: messageOf(error) });
        continue;
      }
    }
    const { frame } = held;
    const picture = plan.kind === 'panorama' ? await makePanorama(frame, plan, subject) : await makeCloseUp(frame, plan, subject);
    const key = pictureKey(event, plan.pictureId);
    await deps.objectStore.put(key, picture.bytes, 'image/jpeg');
    made.set(i, {
      pictureId: plan.pictureId,
      of: plan.of,
      kind: plan.kind,
      role: plan.role,
      key,
      sha256: createHash('sha256').update(picture.bytes).digest('hex'),
      bytes: picture.bytes.byteLength,
      width: picture.width,
      height: picture.height,
      takenAt: frame.capturedAt,
      meetsResolution: plan.kind === 'close-up' || (picture.width >= REQUIRED_WIDTH && picture.height >= REQUIRED_HEIGHT),
    });
  }
  result.pictures = plans.flatMap((_, i) => made.get(i) ?? []);
  return result;
}

async function frameNear(deps: EvidenceDeps, cameraId: string, wanted: number): Promise<RgbFrame> {
  const frame = await deps.frameAt(cameraId, wanted);
  if (Math.abs(frame.capturedAt - wanted) > SAME_FRAME_MS) {
    throw new BerthwatchError('not-found', 'EVIDENCE_FRAME_GONE', `the footage of camera ${cameraId} has no frame at ${wanted}; the nearest is ${frame.capturedAt - wanted} ms off`);
  }
  return frame;
}
