import type { Point, Quad } from '../../base/geometry.js';

/** 路内平行泊位 路内垂直泊位 路内斜向泊位 (T/QME 0013-2024 7.4.3.1.2 a). */
export type BerthKind = 'parallel' | 'perpendicular' | 'angled';

/** One painted berth as one camera sees it. */
export interface Berth {
  id: string;
  /** Number painted on the road and shown to people. */
  number: string;
  roadSection: string;
  /** 停车场编号 (`parkingCode`) under which the city platform knows it. */
  lotCode: string;
  kind: BerthKind;
  /** Ground rectangle in picture pixels: front-left, front-right, rear-right, rear-left, seen in the driving direction. */
  polygon: Quad;
  /** Real size of that rectangle in metres. */
  lengthM: number;
  widthM: number;
  /** Unit vector in picture pixels along which traffic beside the berth drives, at the berth's centre. */
  drivingDirection: Point;
  /** Longest stay allowed, minutes; null: none. */
  timeLimitMinutes: number | null;
  specialUse: string | null;
}

/** All that parking needs to know of one camera. */
export interface CameraSite {
  cameraId: string;
  /** Picture size that the polygons refer to. */
  width: number;
  height: number;
  berths: readonly Berth[];
}
