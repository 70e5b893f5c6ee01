import type { Box, Quad } from '../base/geometry.js';

export const VEHICLE_CLASSES = ['car', 'bus', 'truck', 'motorcycle', 'person'] as const;
export type VehicleClass = (typeof VEHICLE_CLASSES)[number];

/** 小型车 中型车 大型车 (T/QME 0013-2024 7.3.2.2). */
export type VehicleType = 'small' | 'medium' | 'large';

/** 白 灰 黄 粉 紫 绿 蓝 红 棕 黑 其他 (T/QME 0013-2024 7.3.2.2). */
export const BODY_COLOURS = ['white', 'grey', 'yellow', 'pink', 'purple', 'green', 'blue', 'red', 'brown', 'black', 'other'] as const;
export type BodyColour = (typeof BODY_COLOURS)[number];

/** The side of a vehicle that the camera sees most of. */
export const VEHICLE_VIEWS = ['front', 'rear', 'side'] as const;
export type VehicleView = (typeof VEHICLE_VIEWS)[number];

/** `other`: a two-wheeler, a person's goods, a barrier: something that is no vehicle. */
export const BERTH_LOOKS = ['empty', 'vehicle', 'other'] as const;

/** What a berth looks like by itself, whatever the detector says of the whole picture. */
export interface BerthLook {
  state: (typeof BERTH_LOOKS)[number];
  /** 0 to 1. */
  confidence: number;
}

/** Ground colour of a GA 36 plate; `yellow-green` is the large new-energy plate. */
export const PLATE_COLOURS = ['blue', 'yellow', 'green', 'yellow-green', 'white', 'black'] as const;
export type PlateColour = (typeof PLATE_COLOURS)[number];

/** One reading of one plate on one frame. */
export interface PlateReading {
  /** Characters as read, without the dot; may violate the GA 36 grammar (voting decides later). Empty: a plate that could not be read. */
  text: string;
  colour: PlateColour;
  /** 0 to 1, of the colour. */
  colourConfidence: number;
  rows: 1 | 2;
  /** Picture pixels: top-left, top-right, bottom-right, bottom-left as read. */
  corners: Quad;
  /** 0 to 1 for each character of `text`. */
  characterConfidences: readonly number[];
  /** 0 to 1: that this is a plate at all. */
  score: number;
}

/** A vehicle, two-wheeler or person on one frame. All geometry is in pixels of the full picture. */
export interface ObservedVehicle {
  box: Box;
  /** Detector confidence, 0 to 1. */
  score: number;
  class: VehicleClass;
  type: VehicleType;
  bodyColour: BodyColour;
  bodyColourConfidence: number;
  /** Null where no model tells. */
  view: VehicleView | null;
  /**
   * Where the vehicle stands: four ground corners, front-left first, then front-right, rear-right, rear-left.
   * Null for classes without one, and where the model gave none.
   */
  footprint: Quad | null;
  plate: PlateReading | null;
  /** Number kept over frames of one camera while the same vehicle is tracked; unique per camera. */
  trackId: number;
}

export interface PictureHealth {
  black: boolean;
  frozen: boolean;
  blurred: boolean;
  moved: boolean;
  /** Decoder reported concealed damage on this picture. */
  damaged: boolean;
}

/** What was seen on one frame of one camera: vision's only product and parking's only input from pictures. */
export interface Observation {
  cameraId: string;
  /** Unix ms of the picture. */
  capturedAt: number;
  width: number;
  height: number;
  /** `inferred`: the models ran on this frame. `gated`: nothing moved in the berths since the last inferred frame, whose vehicles are repeated. */
  basis: 'inferred' | 'gated';
  vehicles: readonly ObservedVehicle[];
  /** Non-motor vehicles and objects that occupy the ground, footprint as box. */
  obstructions: readonly { box: Box; score: number; kind: 'two-wheeler' | 'object' }[];
  /**
   * Of each berth asked about, in their order, where no vehicle was found: what its own part of the picture looks like. Null of
   * berths in which the detector sees a vehicle. Absent where no model tells, and on gated frames.
   */
  berths?: readonly (BerthLook | null)[];
  health: PictureHealth;
}
