import { parseBeijing } from '../../base/beijing-time.js';
import type { Scene } from './scene.js';
import type { Span, Timeline } from './timeline.js';

type Fields = Record<string, string | number>;

/** What the city platform holds, as its admin page lists it. */
export interface CityState {
  /** One a visit: the enter record, as it stands after modifications, and the leave record. */
  records: { uid: string; enter: Fields; current: Fields; leave: Fields | null }[];
  photos: { uid: string; photoId: string; fields: Fields; bytes: number }[];
  /** Requests that it refused. */
  refused: { endpoint: string; code: string | null; msg: string }[];
}

/** A visit as the scenario has it, in wall-clock times. */
export interface ExpectedVisit {
  lotCode: string;
  berthNumber: string;
  plate: string;
  /** When it can have been seen to enter. */
  entered: Span;
  /** The vehicle stood there when the camera was first seen. */
  stood: boolean;
  /** null: still parked at the end. */
  left: Span | null;
}

export interface Verdict {
  expected: number;
  right: number;
  /** What is wrong, a sentence each; empty when everything was delivered right. */
  faults: string[];
}

/** How far a delivered time may be from the truth: a kept GOP, and the cut to whole seconds that the protocol makes. */
export const TIME_TOLERANCE_MS = 2_500;
/** An outage this near to an enter or leave may hide it until the pictures come again. */
const OUTAGE_REACH_MS = 5_000;
/** So long a change is watched before it is believed: a stand of five seconds, and the GOP that a kill may cost. */
const CONFIRM_MS = 9_000;
/** A vehicle that stood there from the beginning is told as soon as it was watched for a while. */
const STANDING_TOLD_MS = 30_000;
const PICTURES = { 1: 3, 2: 4 } as const;

/**
 * The visits that must have been delivered by `until` (Unix ms): those whose enter, and leave if it happened, lie `marginMs`
 * before it. A looping clip goes on where it began, so a vehicle parked at its end is the one parked at its start; one that does
 * not `loop` shows its last pictures again and again, in which nothing happens.
 */
export function expectedVisits(scene: Scene, timeline: Timeline, until: number, marginMs: number, loop: boolean): ExpectedVisit[] {
  const { truth } = scene;
  const [reach, confirm] = [(OUTAGE_REACH_MS * truth.fps) / 1000, (CONFIRM_MS * truth.fps) / 1000];
  /** From when it happened, and until when it may have been hidden by others. */
  const shown = (frame: number, seenFrame: number, clearFrom: (frame: number) => number): Span | null => {
    const clear = (position: number): number => position + clearFrom(position % truth.frames) - (position % truth.frames);
    const [span, visible] = [timeline.seen(frame, reach, confirm, clear), timeline.seen(seenFrame, reach, confirm, clear)];
    return span === null || visible === null || visible.to > until - marginMs ? null : { from: span.from, to: Math.max(span.to, visible.to) };
  };
  const visits: ExpectedVisit[] = [];
  const rounds = loop ? Math.floor(Math.max(0, timeline.shownTo) / truth.frames) + 1 : 1;
  for (let round = 0; round < rounds; round++) {
    for (const visit of truth.visits) {
      const stood = visit.enteredFrame === null;
      if (stood && round > 0) continue;
      const entered = stood ? standing(timeline, truth.fps) : shown(round * truth.frames + (visit.enteredFrame ?? 0), round * truth.frames + (visit.enterSeenFrame ?? 0), visit.vehicleClearFrom);
      if (entered === null) continue;
      visits.push({
        lotCode: scene.lotCode,
        berthNumber: truth.berths.find((berth) => berth.id === visit.berth)?.number ?? visit.berth,
        plate: truth.vehicles.find((vehicle) => vehicle.id === visit.vehicle)?.plate?.text ?? '无车牌',
        entered,
        stood,
        left: visit.leftFrame === null ? null : shown(round * truth.frames + visit.leftFrame, round * truth.frames + (visit.leaveSeenFrame ?? visit.leftFrame), visit.berthClearFrom),
      });
    }
  }
  return visits;
}

/** Outages while the scenario begins put off the telling of what stands there. */
function standing(timeline: Timeline, fps: number): Span | null {
  const span = timeline.seen(0, (STANDING_TOLD_MS * fps) / 1000, (CONFIRM_MS * fps) / 1000);
  return span && { from: span.from - STANDING_TOLD_MS, to: span.to + STANDING_TOLD_MS };
}

interface DeliveredVisit {
  uid: string;
  lotCode: string;
  plate: string;
  enteredAt: number;
  leftAt: number | null;
  photos: { 1: number; 2: number };
}

/** Compares what the platform accepted with what happened in the street. */
export function judge(expected: readonly ExpectedVisit[], city: CityState): Verdict {
  const faults = city.refused.map((request) => `refused by the platform: ${request.endpoint}, ${request.code ?? ''} ${request.msg}`);
  const delivered = new Map(city.records.map((record) => [record.uid, delivery(record, city.photos)]));
  let right = 0;
  for (const visit of expected) {
    const candidates = [...delivered.values()].filter((d) => d.lotCode === visit.lotCode && berthOf(d) === visit.berthNumber && near(d.enteredAt, visit.entered));
    const match = candidates[0];
    const name = `${visit.lotCode} berth ${visit.berthNumber}, ${visit.plate}, entered ${visit.stood ? 'before the start' : spanText(visit.entered)}`;
    if (!match) {
      faults.push(`missing: ${name}`);
      continue;
    }
    delivered.delete(match.uid);
    const before = faults.length;
    if (match.plate !== visit.plate) faults.push(`wrong plate: ${name}: delivered as ${match.plate} (${match.uid})`);
    if (visit.left !== null && match.leftAt === null) faults.push(`no leave record: ${name} left ${spanText(visit.left)} (${match.uid})`);
    if (visit.left !== null && match.leftAt !== null && !near(match.leftAt, visit.left)) faults.push(`wrong leave time: ${name}: delivered ${clockTime(match.leftAt)}, true ${spanText(visit.left)}`);
    if (match.photos[1] < PICTURES[1]) faults.push(`${match.photos[1]} of ${PICTURES[1]} enter pictures: ${name}`);
    if (visit.left !== null && match.photos[2] < PICTURES[2]) faults.push(`${match.photos[2]} of ${PICTURES[2]} leave pictures: ${name}`);
    if (faults.length === before) right++;
  }
  return { expected: expected.length, right, faults: [...faults, ...leftOver(delivered, expected)] };
}

/** Records that no expected visit explains; those that began after the last expected time are only too new to be judged. */
function leftOver(delivered: Map<string, DeliveredVisit>, expected: readonly ExpectedVisit[]): string[] {
  const last = Math.max(0, ...expected.map((visit) => visit.left?.to ?? visit.entered.to));
  return [...delivered.values()].filter((visit) => visit.enteredAt <= last + TIME_TOLERANCE_MS).map((visit) => `did not happen: ${visit.uid} ${visit.plate}, entered ${clockTime(visit.enteredAt)}`);
}

function delivery(record: CityState['records'][number], photos: CityState['photos']): DeliveredVisit {
  const count = (type: number): number => photos.filter((photo) => photo.uid === record.uid && photo.fields.type === type).length;
  return {
    uid: record.uid,
    lotCode: String(record.current.parkingCode),
    plate: String((record.leave ?? record.current).plateNo),
    enteredAt: parseBeijing(String(record.current.arriveTime)) ?? 0,
    leftAt: record.leave === null ? null : parseBeijing(String(record.leave.endTime)),
    photos: { 1: count(1), 2: count(2) },
  };
}

/** uid = lot code + berth number + 17 digits of time. */
const berthOf = (visit: DeliveredVisit): string => visit.uid.slice(visit.lotCode.length, -17);

/** The protocol cuts times to whole seconds, so up to a second of the difference is its own. */
const near = (delivered: number, truth: Span): boolean => delivered - truth.to <= TIME_TOLERANCE_MS && truth.from - delivered <= TIME_TOLERANCE_MS + 1_000;

const clockTime = (unixMs: number): string => new Date(unixMs + 8 * 3_600_000).toISOString().slice(11, 21);
const spanText = ({ from, to }: Span): string => (from === to ? clockTime(from) : `${clockTime(from)} to ${clockTime(to)}`);
