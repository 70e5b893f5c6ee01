import type { Polygon } from '../../base/geometry.js';
import type { ErrorKind } from '../../base/errors.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { GateReason, GateState } from '../gate/gate.js';
import type { FrameLook } from '../health/look.js';
import type { Observation, PlateReading } from '../observation.js';

export interface AnalyseRequest {
  cameraId: string;
  /** One GOP or its beginning, in decode order, from a keyframe. */
  units: readonly AccessUnit[];
  /** Indexes into `units` of the frames to analyse. */
  frames: readonly number[];
  /** Berth polygons in picture pixels; empty: the whole picture is looked at. */
  regions: readonly Polygon[];
}

export interface ExamineRequest extends AnalyseRequest {
  /** The gate's memory: frames that look like it are not inferred again. Absent: every frame is inferred. */
  gate?: GateState | null;
}

export interface ExaminedFrame {
  /** Index into the request's units. */
  index: number;
  observation: Observation;
  look: FrameLook;
  /** Why the models ran; null where the gate stayed shut; 'asked' where no gate was given. */
  reason: GateReason | 'asked' | null;
}

export interface Examination {
  /** In the order of the request's frames; frames without a picture are left out. */
  frames: ExaminedFrame[];
  /** Indexes that gave no picture. */
  missing: number[];
  /** The gate's memory afterwards, to be given with the camera's next request; null where no gate was used. */
  gate: GateState | null;
}

export interface StillRequest {
  cameraId: string;
  /** A GOP or its beginning, from a keyframe. */
  units: readonly AccessUnit[];
  /** Index into `units`. */
  frame: number;
  /** `rgb`: packed, 3 bytes a pixel, rows without gaps. */
  format: 'rgb' | 'jpeg';
  /** JPEG quality 1 to 100; 85 where absent. */
  quality?: number;
}

export interface Still {
  width: number;
  height: number;
  capturedAt: number;
  data: Uint8Array;
  damaged: boolean;
}

/** One picture from outside a stream: a photograph, a saved frame, a plate cut out of one. */
export interface SeeRequest {
  cameraId: string;
  /** Packed, 3 bytes a pixel, rows without gaps. */
  rgb: Uint8Array;
  width: number;
  height: number;
  /** Berth polygons in picture pixels; empty: the whole picture is looked at. */
  regions: readonly Polygon[];
  /** `plate`: the picture is one plate, cut out tightly, and only read. */
  shows: 'scene' | 'plate';
}

export interface Sight {
  /** Of a scene; `capturedAt` is 0, for nobody knows it. Null of a plate. */
  observation: Observation | null;
  /** Only of a plate: what it reads; null where the reader holds it for something else. */
  plate: PlateReading | null;
  times: StageTimes;
}

/** Milliseconds spent in each stage of one request, and how often each ran. */
export type StageTimes = Partial<Record<Stage, { count: number; ms: number }>>;
export const STAGES = ['decode', 'look', 'detect', 'plates', 'read', 'attributes', 'berths', 'still'] as const;
export type Stage = (typeof STAGES)[number];

export interface ChildOptions {
  manifestPath: string;
  threads: number;
  accelerator?: 'cuda' | 'webgpu' | 'coreml' | 'dml' | undefined;
  /** From which score on a vehicle counts, instead of the manifest's threshold. */
  vehicleScore?: number | undefined;
}

export interface ModelInfo {
  id: string;
  task: string;
  provider: string;
}

export interface WireError {
  kind: ErrorKind;
  code: string;
  message: string;
  detail: Record<string, unknown>;
}

export type ToChild =
  | { type: 'start'; options: ChildOptions }
  | { type: 'examine'; id: number; request: ExamineRequest }
  | { type: 'still'; id: number; request: StillRequest }
  | { type: 'see'; id: number; request: SeeRequest }
  | { type: 'ping'; id: number }
  | { type: 'stop' };

export type FromChild =
  | { type: 'ready'; models: ModelInfo[] }
  | { type: 'start-failed'; error: WireError }
  | { type: 'examined'; id: number; examination: Examination; times: StageTimes }
  | { type: 'still'; id: number; still: Still; times: StageTimes }
  | { type: 'seen'; id: number; sight: Sight; times: StageTimes }
  | { type: 'failed'; id: number; error: WireError }
  | { type: 'pong'; id: number; rssBytes: number }
  | { type: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; facts: object; message: string };

