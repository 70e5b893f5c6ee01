import { beijingDateTime } from '../../base/beijing-time.js';
import type { Berth } from '../../parking/model/berth.js';
import { plateWords } from '../../parking/model/plate-words.js';
import type { EvidenceInstant, VisitPlate } from '../../parking/model/visit.js';
import type { PlateColour } from '../../vision/observation.js';
import type { EvidenceCamera } from '../camera.js';

const COLOURS: Record<PlateColour, string> = { blue: '蓝', yellow: '黄', green: '绿', 'yellow-green': '黄绿', white: '白', black: '黑' };

const ROLES: Record<EvidenceInstant['shows'], string> = {
  approaching: '驶入泊位',
  parked: '停车入位',
  leaving: '驶离泊位',
  vacated: '车辆已离位',
  plate: '车牌特写',
};

/** The plate as records write it (T/QME 0013-2024 A.4.1.1.4), with its colour. */
export function plateText(plate: VisitPlate): string {
  return plate.status === 'read' ? `${plateWords(plate)}（${COLOURS[plate.colour]}）` : plateWords(plate);
}

/**
 * The watermark's items (T/QME 0013-2024 7.4.3.1.6 5: time to the second, road section and berth, direction of shooting,
 * device number, plate, time limit), and what the picture shows.
 */
export function watermarkItems(camera: EvidenceCamera, berth: Berth, plate: VisitPlate, takenAt: number, role: EvidenceInstant['shows']): string[] {
  return [
    `时间：${beijingDateTime(takenAt)}`,
    `停车地点：${berth.roadSection} ${berth.number}泊位`,
    `拍摄方向：${camera.shootingDirection}`,
    `设备编号：${camera.deviceNumber}`,
    `车牌号码：${plateText(plate)}`,
    `限时停车：${berth.timeLimitMinutes === null ? '不限时' : `${berth.timeLimitMinutes}分钟`}`,
    ROLES[role],
  ];
}

/** Width in ems: Chinese fills its square, Latin letters and digits a good half. */
function emWidth(text: string): number {
  let sum = 0;
  for (const char of text) sum += (char.codePointAt(0) as number) > 0x2e7f ? 1 : 0.6;
  return sum;
}

/** Sets items into as few rows as fit `ems`; one too long for any row is cut. */
export function layOut(items: readonly string[], ems: number): string[] {
  const rows: string[] = [];
  for (const item of items) {
    let text = item;
    while (emWidth(text) > ems && text.length > 1) text = `${[...text].slice(0, -2).join('')}…`;
    const last = rows[rows.length - 1];
    const joined = `${last}　${text}`;
    if (last !== undefined && emWidth(joined) <= ems) rows[rows.length - 1] = joined;
    else rows.push(text);
  }
  return rows;
}
