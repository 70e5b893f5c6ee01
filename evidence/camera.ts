import type { CameraSite } from '../parking/model/berth.js';

/** What pictures say about the camera that took them. */
export interface EvidenceCamera {
  site: CameraSite;
  /** 设备编号: the device's GB/T 28181 id. */
  deviceNumber: string;
  /** 拍摄方向 for people, such as 由东向西. */
  shootingDirection: string;
}

/** A decoded picture of the footage log: packed RGB, 3 bytes a pixel, rows without padding. */
export interface RgbFrame {
  width: number;
  height: number;
  /** Unix ms. */
  capturedAt: number;
  rgb: Uint8Array;
}
