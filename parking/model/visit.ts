import type { Box, Quad } from '../../base/geometry.js';
import type { BodyColour, PlateColour, VehicleType } from '../../vision/observation.js';

/**
 * What is known of a visit's plate. `read`: text holds. `none`: the vehicle carries no plate (无车牌). `unread`: it may carry
 * one, it could not be read (未识别). T/QME 0013-2024 A.4.1.1.4 wants these told apart.
 */
export type VisitPlate =
  | { status: 'read'; text: string; colour: PlateColour; confidence: number }
  | { status: 'none' }
  | { status: 'unread' };

/** A frame of the footage log that shows something of the visit. */
export interface EvidenceInstant {
  /** Unix ms of the frame. */
  capturedAt: number;
  /** What the picture has to show. */
  shows: 'approaching' | 'parked' | 'leaving' | 'vacated' | 'plate';
  /** The vehicle on that frame in picture pixels, where seen. */
  vehicleBox: Box | null;
  plateCorners: Quad | null;
}

/** 一次停车业务: one vehicle's stay in one berth. */
export interface Visit {
  /** Deterministic: the same footage and site give the same id. Equal to `uid` for visits that were seen. */
  id: string;
  /** 流水号: lot code + berth number + `yyyyMMddHHmmssSSS` of `enteredAt` (T/QME 0013-2024 A.4.1.1.4); at most 60 characters. */
  uid: string;
  cameraId: string;
  berthId: string;
  plate: VisitPlate;
  vehicleType: VehicleType;
  bodyColour: BodyColour;
  /** Unix ms at which the vehicle came to rest. */
  enteredAt: number;
  /** Unix ms at which it left the berth; null while parked. */
  leftAt: number | null;
  /** True where the vehicle already stood there when the camera was first analysed: `enteredAt` is then the first sight. */
  presentAtStart: boolean;
  /** 0 to 1: how sure the record is as a whole. */
  confidence: number;
}

/**
 * What the reducer says happened. `instants` name the frames from which evidence is cut: two panoramas for enter, three for
 * leave (T/QME 0013-2024 7.4.3.1.4), plus the best plate frame where one exists.
 */
export type ParkingEvent =
  | { type: 'entered'; at: number; visit: Visit; instants: readonly EvidenceInstant[] }
  | { type: 'left'; at: number; visit: Visit; instants: readonly EvidenceInstant[] }
  | { type: 'corrected'; at: number; visit: Visit; before: VisitPlate; instants: readonly EvidenceInstant[] }
  | { type: 'camera-health'; at: number; cameraId: string; condition: 'black' | 'frozen' | 'blurred' | 'moved' | 'damaged'; active: boolean };
