import { boundingBox, boxPolygon, contains, overlapArea, type Polygon, type Quad } from '../../base/geometry.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { decodeUnits, type DecodedUnit } from '../decode/gop-decoder.js';
import { pictureFromRgb, toRgb } from '../decode/picture.js';
import { scaleRegion } from '../decode/scale.js';
import { gateAfterInference, gatedObservation, gateReason, type GateState } from '../gate/gate.js';
import { healthOf } from '../health/health.js';
import { lookAt } from '../health/look.js';
import { classifyVehicles, impliedAttributes } from '../models/attributes.js';
import { lookAtBerths, uncovered } from '../models/berths.js';
import { provesVehicle } from '../models/doubtful.js';
import { loadManifest, type AttributesModel, type BerthsModel, type ModelEntry, type PlatesModel, type ReaderModel, type VehiclesModel } from '../models/manifest.js';
import type { NearRegion } from '../models/near-look.js';
import { carOfPlate, isBetter, tellsOfCar, withoutPieces, withoutPlate, worthAnother } from '../models/near-plates.js';
import { isMotor, type Detection } from '../models/nms.js';
import { findPlates } from '../models/plate-finder.js';
import { readPlates } from '../models/plate-reader.js';
import { detectionRegions, REGION_DEFAULTS } from '../models/regions.js';
import { ModelSession } from '../models/session.js';
import { detectVehicles } from '../models/vehicle-detector.js';
import type { BerthLook, Observation, ObservedVehicle, PlateReading } from '../observation.js';
import type { Picture } from '../decode/picture.js';
import type { ChildOptions, Examination, ExaminedFrame, ExamineRequest, ModelInfo, SeeRequest, Sight, Stage, StageTimes, Still, StillRequest } from './protocol.js';

/** Plates are looked for on at most this many vehicles of a frame, those in or nearest to berths first. */
const MAX_PLATE_SEARCHES = 12;
/** Narrower vehicles cannot carry a plate that could be read. */
const MIN_PLATE_VEHICLE_PX = 48;

/** The models at work: everything native that a vision child does, without the process around it. */
export class Eyes {
  readonly #vehicles: ModelSession<VehiclesModel> | null;
  readonly #plates: ModelSession<PlatesModel> | null;
  readonly #reader: ModelSession<ReaderModel> | null;
  readonly #attributes: ModelSession<AttributesModel> | null;
  readonly #berths: ModelSession<BerthsModel> | null;
  readonly #charset: readonly string[];
  readonly #now: () => number;

  private constructor(sessions: Map<string, ModelSession>, charset: readonly string[], now: () => number) {
    this.#now = now;
    this.#vehicles = (sessions.get('vehicles') as ModelSession<VehiclesModel> | undefined) ?? null;
    this.#plates = (sessions.get('plates') as ModelSession<PlatesModel> | undefined) ?? null;
    this.#reader = (sessions.get('plate-reader') as ModelSession<ReaderModel> | undefined) ?? null;
    this.#attributes = (sessions.get('attributes') as ModelSession<AttributesModel> | undefined) ?? null;
    this.#berths = (sessions.get('berths') as ModelSession<BerthsModel> | undefined) ?? null;
    this.#charset = charset;
  }

  /**
   * Loads and opens every model of the manifest. Without a vehicles model nothing can be seen, so that is an error; the
   * others may be absent (no plates, no attributes, no looks at berths).
   * @param now what stages are timed by, ms: the clock, or in benchmarks the processor time
   * @throws BerthwatchError not-found, bad-input
   */
  static async open(options: ChildOptions, logger: Logger, now: () => number = () => performance.now()): Promise<Eyes> {
    const loaded = await loadManifest(options.manifestPath);
    const sessions = new Map<string, ModelSession>();
    let charset: readonly string[] = [];
    for (const told of loaded.manifest.models) {
      const file = loaded.files.get(told.id) as Uint8Array;
      const entry = told.task === 'vehicles' && options.vehicleScore !== undefined ? withScore(told, options.vehicleScore) : told;
      sessions.set(entry.task, await ModelSession.open<ModelEntry>(entry, file, { threads: options.threads, accelerator: options.accelerator, logger }));
      if (entry.task === 'plate-reader') charset = loaded.charsets.get(entry.id) as readonly string[];
    }
    if (!sessions.has('vehicles')) throw new BerthwatchError('bad-input', 'VISION_MANIFEST', `${options.manifestPath} names no model for "vehicles"; without one nothing can be seen`);
    return new Eyes(sessions, charset, now);
  }

  get models(): ModelInfo[] {
    return this.#sessions().map((s) => ({ id: s.entry.id, task: s.entry.task, provider: s.provider }));
  }

  async close(): Promise<void> {
    for (const session of this.#sessions()) await session.close();
  }

  /**
   * Decodes and sees the frames of a request. A pure function of the request and the models: the same request gives the same
   * examination to the last bit (on one machine). Vehicles carry `trackId` 0; tracking happens outside.
   */
  async examine(request: ExamineRequest, times: StageTimes): Promise<Examination> {
    const gated = request.gate !== undefined;
    let gate: GateState | null = request.gate ?? null;
    const frames: ExaminedFrame[] = [];
    const missing = await this.#decode(request.units, request.frames, times, { fast: true }, async ({ index, unit, picture, damaged }) => {
      const look = this.#timed(times, 'look', () => lookAt(picture, request.regions, unit.keyframe));
      const health = healthOf(look, damaged);
      const reason = gated ? gateReason(gate, { capturedAt: unit.capturedAt, width: picture.width, height: picture.height, look }) : 'asked';
      let observation: Observation;
      if (reason === null) observation = gatedObservation(gate as GateState, unit.capturedAt, health);
      else {
        observation = await this.#observe(picture, { ...request, capturedAt: unit.capturedAt, health }, times);
        if (gated) gate = gateAfterInference(look, observation);
      }
      frames.push({ index, observation, look, reason });
    });
    const order = new Map(request.frames.map((frame, i) => [frame, i]));
    frames.sort((a, b) => (order.get(a.index) as number) - (order.get(b.index) as number));
    return { frames, missing, gate };
  }

  /** One decoded picture. @throws BerthwatchError bad-input where the frame gives no picture */
  async still(request: StillRequest, times: StageTimes): Promise<Still> {
    let still: Still | null = null;
    await this.#decode(request.units, [request.frame], times, { fast: false }, async ({ unit, picture, damaged }) => {
      const begin = this.#now();
      const { width, height } = picture;
      const rgb = toRgb(scaleRegion(picture, { x: 0, y: 0, width, height }, width, height), picture.matrix, picture.fullRange);
      const data = request.format === 'rgb' ? rgb : await jpeg(rgb, width, height, request.quality ?? 85);
      still = { width, height, capturedAt: unit.capturedAt, data, damaged };
      add(times, 'still', this.#now() - begin);
    });
    if (!still) {
      throw new BerthwatchError('bad-input', 'VISION_UNDECODABLE', `frame ${request.frame} of ${request.units.length} of camera ${request.cameraId} gives no picture: no keyframe before it, or damaged beyond decoding`);
    }
    return still;
  }

  /** One picture from outside a stream. @throws BerthwatchError bad-input where its bytes do not fit its size, or no model can read plates */
  async look(request: SeeRequest, times: StageTimes): Promise<Sight> {
    const { width, height } = request;
    const picture = pictureFromRgb(request.rgb, width, height);
    if (request.shows === 'scene') {
      const health = healthOf(this.#timed(times, 'look', () => lookAt(picture, request.regions, true)), false);
      return { observation: await this.#observe(picture, { ...request, capturedAt: 0, health }, times), plate: null, times };
    }
    const reader = this.#reader;
    if (!reader) throw new BerthwatchError('bad-input', 'VISION_MANIFEST', 'the manifest names no model for "plate-reader"; plates cannot be read');
    const corners: Quad = [[0, 0], [width, 0], [width, height], [0, height]];
    const [plate] = await this.#timedAsync(times, 'read', 1, () => readPlates(reader, this.#charset, picture, [{ corners, score: 1 }]));
    return { observation: null, plate: plate ?? null, times };
  }

  /** Decoding time is what passes between visits. */
  async #decode(units: ExamineRequest['units'], frames: readonly number[], times: StageTimes, how: { fast: boolean }, visit: (d: DecodedUnit) => Promise<void>): Promise<number[]> {
    let inside = 0;
    let pictures = 0;
    const begin = this.#now();
    try {
      return await decodeUnits(units, frames, async (decoded) => {
        const entered = this.#now();
        pictures++;
        await visit(decoded);
        inside += this.#now() - entered;
      }, how);
    } finally {
      add(times, 'decode', this.#now() - begin - inside, pictures);
    }
  }

  async #observe(picture: Picture, seen: Pick<Observation, 'cameraId' | 'capturedAt' | 'health'> & Pick<ExamineRequest, 'regions'>, times: StageTimes): Promise<Observation> {
    const { cameraId, capturedAt, health, regions } = seen;
    const { width, height } = picture;
    const vehicles = await this.#see(picture, regions, times);
    const berths = await this.#lookAtBerths(picture, vehicles, regions, times);
    const obstructions = obstructionsOf(vehicles, regions, berths ?? []);
    return { cameraId, capturedAt, width, height, basis: 'inferred', vehicles, obstructions, ...(berths ? { berths } : {}), health };
  }

  async #lookAtBerths(picture: Picture, vehicles: readonly ObservedVehicle[], berths: readonly Polygon[], times: StageTimes): Promise<(BerthLook | null)[] | null> {
    const session = this.#berths;
    if (!session || berths.length === 0) return null;
    const asked = berths.flatMap((berth, i) => (uncovered(berth, vehicles, picture) ? [i] : []));
    const looks: (BerthLook | null)[] = berths.map(() => null);
    if (asked.length === 0) return looks;
    const seen = await this.#timedAsync(times, 'berths', asked.length, () => lookAtBerths(session, picture, asked.map((i) => berths[i] as Polygon)));
    for (const [k, i] of asked.entries()) looks[i] = seen[k] ?? null;
    return looks;
  }

  async #see(picture: Picture, berths: readonly Polygon[], times: StageTimes): Promise<ObservedVehicle[]> {
    const session = this.#vehicles as ModelSession<VehiclesModel>;
    const { width, height } = session.entry.input;
    const regions = detectionRegions(picture, berths, { ...REGION_DEFAULTS, inputWidth: width, inputHeight: height });
    const seen = await this.#timedAsync(times, 'detect', regions.length, () => detectVehicles(session, picture, regions, longestAt(berths)));
    const plates = await this.#readPlates(picture, seen.found, berths, times);
    const proofs = await this.#readPlates(picture, seen.doubtful, berths, times);
    let found = [...seen.found];
    for (const [vehicle, plate] of proofs) {
      if (!provesVehicle(plate, seen.found)) continue;
      found.push(vehicle);
      plates.set(vehicle, plate);
    }
    await this.#searchAgain(picture, seen.near, plates, times);
    for (const [car, plate] of await this.#platesFirst(picture, seen.near, found, plates, times)) {
      found = [...withoutPieces(found, car), car];
      plates.set(car, plate);
    }
    const motor = found.filter(isMotor);
    const known = this.#attributes;
    const attributes = known && motor.length > 0 ? await this.#timedAsync(times, 'attributes', motor.length, () => classifyVehicles(known, picture, motor)) : motor.map((d) => impliedAttributes(d.class));
    return found.map((d) => ({
      box: d.box,
      score: d.score,
      class: d.class,
      ...(attributes[motor.indexOf(d)] ?? impliedAttributes(d.class)),
      footprint: d.footprint,
      plate: plates.get(d) ?? null,
      trackId: 0,
    }));
  }

  /** Puts the better reading in the place of a near vehicle's plate that did not read well. */
  async #searchAgain(picture: Picture, near: readonly NearRegion[], read: Map<Detection, PlateReading>, times: StageTimes): Promise<void> {
    const frames = worthAnother(read, near, this.#vehicles?.entry.nearFrom ?? Infinity, picture);
    for (const [frame, plate] of await this.#readPlates(picture, [...frames.keys()], [], times)) {
      const vehicle = frames.get(frame) as Detection;
      if (isBetter(plate, read.get(vehicle) as PlateReading)) read.set(vehicle, plate);
    }
  }

  /** Cars that fill their region so that the network does not know them: known by their plates alone. */
  async #platesFirst(picture: Picture, near: readonly NearRegion[], found: readonly Detection[], read: ReadonlyMap<Detection, PlateReading>, times: StageTimes): Promise<Map<Detection, PlateReading>> {
    const finder = this.#plates;
    const from = this.#vehicles?.entry.nearFrom;
    const regions = withoutPlate(near, read.values());
    if (!finder || from === undefined || regions.length === 0) return new Map();
    const plates = await this.#timedAsync(times, 'plates', regions.length, () => findPlates(finder, picture, regions.map(({ box }) => box)));
    const cars: Detection[] = [];
    for (const [i, plate] of plates.entries()) {
      // Regions overlap: one plate may be found in two of them.
      const car = plate && carOfPlate(plate, regions[i] as NearRegion, from, picture, [...found, ...cars]);
      if (car) cars.push(car);
    }
    return new Map([...(await this.#readPlates(picture, cars, [], times))].filter(([, plate]) => tellsOfCar(plate)));
  }

  async #readPlates(picture: Picture, found: readonly Detection[], berths: readonly Polygon[], times: StageTimes): Promise<Map<Detection, PlateReading>> {
    const read = new Map<Detection, PlateReading>();
    const finder = this.#plates;
    const reader = this.#reader;
    const searched = plateCandidates(found, berths);
    if (!finder || !reader || searched.length === 0) return read;
    const boxes = searched.map((d) => d.box);
    const plates = await this.#timedAsync(times, 'plates', boxes.length, () => findPlates(finder, picture, boxes));
    const count = plates.filter((p) => p !== null).length;
    if (count === 0) return read;
    const readings = await this.#timedAsync(times, 'read', count, () => readPlates(reader, this.#charset, picture, plates));
    for (const [i, reading] of readings.entries()) if (reading) read.set(searched[i] as Detection, reading);
    return read;
  }

  #timed<T>(times: StageTimes, stage: Stage, run: () => T): T {
    const begin = this.#now();
    const value = run();
    add(times, stage, this.#now() - begin);
    return value;
  }

  async #timedAsync<T>(times: StageTimes, stage: Stage, count: number, run: () => Promise<T>): Promise<T> {
    const begin = this.#now();
    const value = await run();
    add(times, stage, this.#now() - begin, count);
    return value;
  }

  #sessions(): ModelSession[] {
    return [this.#vehicles, this.#plates, this.#reader, this.#attributes, this.#berths].filter((s) => s !== null) as ModelSession[];
  }
}

/** Another threshold for vehicles, two-wheelers and persons alike. */
function withScore(entry: VehiclesModel, score: number): VehiclesModel {
  const { twoWheeler: _, person: __, ...thresholds } = entry.thresholds;
  return { ...entry, thresholds: { ...thresholds, score } };
}

/** The longer side of a car's box as a share of its berth's: 0.60 to 0.79 for those that park in the demo's clips. */
const CAR_OF_BERTH = 0.8;

/** How long a car in the nearest of the berths is, picture pixels; anything where no berth is known. */
function longestAt(berths: readonly Polygon[]): number {
  const sides = berths.map(boundingBox).map(({ width, height }) => Math.max(width, height));
  return sides.length === 0 ? Infinity : CAR_OF_BERTH * Math.max(...sides);
}

/** Vehicles whose plates are worth a search: motor vehicles, those that cover berths first, then larger ones. */
export function plateCandidates(found: readonly Detection[], berths: readonly Polygon[]): Detection[] {
  const cover = (d: Detection): number => berths.reduce((most, berth) => Math.max(most, overlapArea(boxPolygon(d.box), boxPolygon(boundingBox(berth)))), 0);
  return found
    .filter((d) => isMotor(d) && d.box.width >= MIN_PLATE_VEHICLE_PX)
    .map((d) => ({ d, cover: cover(d), area: d.box.width * d.box.height }))
    .sort((a, b) => b.cover - a.cover || b.area - a.area || a.d.box.x - b.d.box.x)
    .slice(0, MAX_PLATE_SEARCHES)
    .map(({ d }) => d);
}

/** Two-wheelers that stand in a berth (the middle of their lower edge lies inside its polygon), and berths that hold something else. */
export function obstructionsOf(vehicles: readonly ObservedVehicle[], berths: readonly Polygon[], looks: readonly (BerthLook | null)[]): Observation['obstructions'] {
  const stands = (v: ObservedVehicle, berth: Polygon): boolean => contains(berth, [v.box.x + v.box.width / 2, v.box.y + v.box.height]);
  const twoWheelers = vehicles.filter((v) => v.class === 'motorcycle' && berths.some((berth) => stands(v, berth)));
  const objects = berths.flatMap((berth, i) => {
    const look = looks[i];
    return look?.state === 'other' && !twoWheelers.some((v) => stands(v, berth)) ? [{ box: boundingBox(berth), score: look.confidence, kind: 'object' as const }] : [];
  });
  return [...twoWheelers.map((v) => ({ box: v.box, score: v.score, kind: 'two-wheeler' as const })), ...objects];
}

async function jpeg(rgb: Uint8Array, width: number, height: number, quality: number): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  return sharp(rgb, { raw: { width, height, channels: 3 } }).jpeg({ quality, mozjpeg: false }).toBuffer();
}

function add(times: StageTimes, stage: Stage, ms: number, count = 1): void {
  const known = times[stage] ?? { count: 0, ms: 0 };
  times[stage] = { count: known.count + count, ms: known.ms + ms };
}
