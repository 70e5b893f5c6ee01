import type { Point, Quad } from '../../base/geometry.js';
import type { PicturedBerth } from '../../parking/one-picture.js';
import type { StageTimes } from '../../vision/child/protocol.js';
import type { Observation, ObservedVehicle, PlateReading } from '../../vision/observation.js';
import { plateKind, type PlateKind } from '../../vision/plate/grammar.js';

/** What one picture shows, as `berthwatch analyse --json` prints it: pixels of the picture, confidences 0 to 1. */
export interface PictureLine {
  file: string;
  /** Only of a video: milliseconds from its first key frame. */
  atMs?: number;
  width: number;
  height: number;
  vehicles: VehicleLine[];
  obstructions: { kind: string; box: BoxLine; score: number }[];
  /** Of each berth of the site file's camera; `vehicle` is an index into `vehicles`. */
  berths?: PicturedBerth[];
  /** What is wrong with the picture: black, blurred … */
  problems: string[];
  /** Milliseconds in each stage of the vision child. */
  ms: Record<string, number>;
}

export interface VehicleLine {
  class: ObservedVehicle['class'];
  score: number;
  type: ObservedVehicle['type'];
  colour: ObservedVehicle['bodyColour'];
  colourConfidence: number;
  /** The side that the camera sees most of; null where no model tells. */
  view: ObservedVehicle['view'];
  /** x, y, width, height. */
  box: BoxLine;
  /** Front left, front right, rear right, rear left on the ground; null where unknown. */
  footprint: Quad | null;
  /** Direction of the front in the picture: 0 right, 90 down, 180 left, 270 up; null where unknown. */
  heading: number | null;
  plate: PlateLine | null;
}

export interface PlateLine {
  /** Empty: a plate that could not be read. */
  text: string;
  /** GA 36 kind; null where the text is no plate that the standard knows. */
  kind: PlateKind | null;
  colour: PlateReading['colour'];
  colourConfidence: number;
  rows: 1 | 2;
  /** That it is a plate at all. */
  score: number;
  /** Of each character. */
  confidences: number[];
  /** Top left, top right, bottom right, bottom left as read. */
  corners: Quad;
}

type BoxLine = readonly [x: number, y: number, width: number, height: number];

const tenth = (value: number): number => Math.round(value * 10) / 10;
const thousandth = (value: number): number => Math.round(value * 1000) / 1000;
const quad = (q: Quad): Quad => q.map(([x, y]) => [tenth(x), tenth(y)] as Point) as unknown as Quad;
const box = (b: ObservedVehicle['box']): BoxLine => [tenth(b.x), tenth(b.y), tenth(b.width), tenth(b.height)];

export function describePlate(plate: PlateReading): PlateLine {
  return {
    text: plate.text,
    kind: plateKind(plate.text, plate.colour),
    colour: plate.colour,
    colourConfidence: thousandth(plate.colourConfidence),
    rows: plate.rows,
    score: thousandth(plate.score),
    confidences: plate.characterConfidences.map(thousandth),
    corners: quad(plate.corners),
  };
}

/** Where the vehicle's front points in the picture, whole degrees. */
export function headingInPicture([fl, fr, rr, rl]: Quad): number {
  const degrees = (Math.atan2(fl[1] + fr[1] - rr[1] - rl[1], fl[0] + fr[0] - rr[0] - rl[0]) * 180) / Math.PI;
  return (Math.round(degrees) + 360) % 360;
}

export function describePicture(file: string, observation: Observation, times: StageTimes, berths: readonly PicturedBerth[] | null, atMs?: number): PictureLine {
  const { width, height, vehicles, obstructions, health } = observation;
  return {
    file,
    ...(atMs === undefined ? {} : { atMs }),
    width,
    height,
    vehicles: vehicles.map((vehicle) => ({
      class: vehicle.class,
      score: thousandth(vehicle.score),
      type: vehicle.type,
      colour: vehicle.bodyColour,
      colourConfidence: thousandth(vehicle.bodyColourConfidence),
      view: vehicle.view,
      box: box(vehicle.box),
      footprint: vehicle.footprint && quad(vehicle.footprint),
      heading: vehicle.footprint && headingInPicture(vehicle.footprint),
      plate: vehicle.plate && describePlate(vehicle.plate),
    })),
    obstructions: obstructions.map((o) => ({ kind: o.kind, box: box(o.box), score: thousandth(o.score) })),
    ...(berths === null ? {} : { berths: [...berths] }),
    problems: Object.entries(health).flatMap(([name, wrong]) => (wrong ? [name] : [])),
    ms: describeTimes(times),
  };
}

export const describeTimes = (times: StageTimes): Record<string, number> => Object.fromEntries(Object.entries(times).map(([stage, { ms }]) => [stage, tenth(ms)]));

/** One line for people. */
export function sentence(line: PictureLine): string {
  const counts = new Map<string, number>();
  for (const vehicle of line.vehicles) counts.set(vehicle.class, (counts.get(vehicle.class) ?? 0) + 1);
  const seen = [...counts].map(([name, n]) => `${n} ${name}`).join(', ') || 'nothing';
  const plates = line.vehicles.flatMap(({ plate }) => (plate ? [plateWord(plate)] : []));
  const berths = (state: PicturedBerth['state']): string[] => (line.berths ?? []).filter((berth) => berth.state === state).map((berth) => berth.number);
  const obstructed = berths('obstructed');
  return [
    line.atMs === undefined ? line.file : `${line.file} at ${(line.atMs / 1000).toFixed(1)} s`,
    seen,
    ...(plates.length > 0 ? [plates.join(' ')] : []),
    ...(line.berths ? [`berths taken: ${berths('occupied').join(' ') || 'none'} of ${line.berths.length}`] : []),
    ...(obstructed.length > 0 ? [`obstructed: ${obstructed.join(' ')}`] : []),
    ...(line.problems.length > 0 ? [`picture: ${line.problems.join(', ')}`] : []),
  ].join('  ');
}

/** A plate for people: a text that is none of GA 36 is doubtful. */
export function plateWord({ text, kind }: Pick<PlateLine, 'text' | 'kind'>): string {
  return text === '' ? '未识别' : kind === null ? `(${text}?)` : text;
}
