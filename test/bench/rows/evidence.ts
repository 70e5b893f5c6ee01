import sharp from 'sharp';
import type { EvidenceCamera, RgbFrame } from '../../../evidence/camera.js';
import { makeCloseUp } from '../../../evidence/close-up.js';
import { HIGHEST_QUALITY } from '../../../evidence/jpeg.js';
import { makePanorama } from '../../../evidence/panorama.js';
import type { Berth } from '../../../parking/model/berth.js';
import { decodeUnits } from '../../../vision/decode/gop-decoder.js';
import { toRgb } from '../../../vision/decode/picture.js';
import { scaleRegion } from '../../../vision/decode/scale.js';
import type { BenchContext, BenchRow } from '../row.js';
import { repeatFor } from '../row.js';

async function firstFrame({ inputs }: BenchContext): Promise<RgbFrame> {
  const unit = (await inputs.units()).find((u) => u.keyframe);
  if (!unit) throw new Error('the clip has no key frame');
  let frame: RgbFrame | null = null;
  await decodeUnits([unit], [0], ({ picture }) => {
    const { width, height } = picture;
    frame = { width, height, capturedAt: unit.capturedAt, rgb: toRgb(scaleRegion(picture, { x: 0, y: 0, width, height }, width, height), picture.matrix, picture.fullRange) };
  });
  if (!frame) throw new Error('the clip’s first key frame cannot be decoded');
  return frame;
}

/** Evidence pictures from a decoded frame: marked, lettered, encoded within their limit. */
export const evidence: BenchRow = {
  name: 'evidence',
  async run(context) {
    const { inputs, seconds, progress } = context;
    const frame = await firstFrame(context);
    const { width, height } = frame;
    const berth: Berth = {
      id: 'bench',
      number: 'A001',
      roadSection: '香港中路',
      lotCode: '370202HZ001',
      kind: 'parallel',
      polygon: [[width * 0.4, height * 0.5], [width * 0.5, height * 0.5], [width * 0.47, height * 0.68], [width * 0.34, height * 0.66]],
      lengthM: 6,
      widthM: 2.4,
      drivingDirection: [0, -1],
      timeLimitMinutes: 120,
      specialUse: null,
    };
    const camera: EvidenceCamera = { site: { cameraId: 'bench', width, height, berths: [berth] }, deviceNumber: '37020200001320000001', shootingDirection: '由东向西' };
    const subject = { camera, berth, plate: { status: 'read', text: '鲁B12345', colour: 'blue', confidence: 0.98 } as const };
    const vehicleBox = { x: width * 0.33, y: height * 0.4, width: width * 0.18, height: height * 0.28 };
    const [left, top, right, bottom] = [width * 0.38, height * 0.58, width * 0.43, height * 0.602];
    const plateCorners = [[left, top], [right, top], [right, bottom], [left, bottom]] as const;

    progress('evidence: panoramas');
    let bytes = (await makePanorama(frame, { role: 'parked' }, subject)).bytes.length;
    const panorama = await repeatFor(seconds, async () => ((bytes = (await makePanorama(frame, { role: 'parked' }, subject)).bytes.length), 1));
    progress('evidence: close-ups');
    const closeUpPlan = { pictureId: 'bench', of: 'enter', kind: 'close-up', role: 'plate', takenAt: frame.capturedAt, vehicleBox, plateCorners } as const;
    const closeUpBytes = (await makeCloseUp(frame, closeUpPlan, subject)).bytes.length;
    const closeUp = await repeatFor(seconds, async () => (await makeCloseUp(frame, closeUpPlan, subject), 1));
    progress('reference: sharp encodes the frame');
    const input = Buffer.from(frame.rgb.buffer, frame.rgb.byteOffset, frame.rgb.byteLength);
    const encode = async (): Promise<number> => (await sharp(input, { raw: { width, height, channels: 3 } }).jpeg({ quality: HIGHEST_QUALITY, chromaSubsampling: '4:2:0', optimizeCoding: true }).toBuffer(), 1);
    await encode();
    const plain = { what: `sharp, the frame as plain JPEG of quality ${HIGHEST_QUALITY}`, measured: await repeatFor(seconds, encode) };
    const note = `${inputs.pictures().what}; decoding is counted in the rows above`;
    return [
      { what: 'evidence panorama', unit: 'picture', measured: panorama, reference: plain, notes: [`${width}×${height}, ${(bytes / 1024).toFixed(0)} KB; ${note}`] },
      { what: 'evidence close-up', unit: 'picture', measured: closeUp, reference: plain, notes: [`${(closeUpBytes / 1024).toFixed(0)} KB; ${note}`] },
    ];
  },
};
