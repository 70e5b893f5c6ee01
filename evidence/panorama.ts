import type { Quad } from '../base/geometry.js';
import type { Berth } from '../parking/model/berth.js';
import type { VisitPlate } from '../parking/model/visit.js';
import type { EvidenceCamera, RgbFrame } from './camera.js';
import { encodeJpeg } from './jpeg.js';
import { berthMark, watermarkBand } from './overlay/layers.js';
import { watermarkItems } from './overlay/watermark.js';
import type { PicturePlan } from './plan.js';

export interface PictureSubject {
  camera: EvidenceCamera;
  berth: Berth;
  plate: VisitPlate;
}

/** A berth's polygon on a picture of another size than the site's. */
export function polygonOn(frame: { width: number; height: number }, camera: EvidenceCamera, berth: Berth): Quad {
  const sx = frame.width / camera.site.width;
  const sy = frame.height / camera.site.height;
  return berth.polygon.map(([x, y]) => [x * sx, y * sy] as const) as unknown as Quad;
}

/**
 * 全景图: the whole picture in its own size (it is never scaled: 7.4.3.1.6 6 forbids it), with watermark and the target
 * berth marked.
 */
export async function makePanorama(frame: RgbFrame, plan: Pick<PicturePlan, 'role'>, subject: PictureSubject): Promise<{ bytes: Buffer; width: number; height: number }> {
  const { camera, berth, plate } = subject;
  const layers = [
    ...(await berthMark(frame, polygonOn(frame, camera, berth), berth.number)),
    ...(await watermarkBand(frame, watermarkItems(camera, berth, plate, frame.capturedAt, plan.role))),
  ];
  const { bytes } = await encodeJpeg(frame, layers);
  return { bytes, width: frame.width, height: frame.height };
}
