import type { VisitPlate } from './visit.js';

/** A plate as people and platforms read it: its text, 无车牌 or 未识别 (T/QME 0013-2024 A.4.1.1.4). */
export function plateWords(plate: VisitPlate): string {
  switch (plate.status) {
    case 'read':
      return plate.text;
    case 'none':
      return '无车牌';
    case 'unread':
      return '未识别';
  }
}
