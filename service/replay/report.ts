import { beijingDateTime } from '../../base/beijing-time.js';
import { plateWords } from '../../parking/model/plate-words.js';
import { berthViews } from '../../parking/counts.js';
import type { AnalysedStep } from '../analysis/camera-analyser.js';
import { cameraSite, type SiteCamera } from '../config/site.js';
import type { VisitRecord } from '../records/visit-reader.js';

interface BerthTally {
  number: string;
  occupied: number;
  changes: number;
  now: boolean;
}

/** What a replay tells people (or, as JSON lines, programs): each picture and event as it comes, and totals at the end. */
export class ReplayReport {
  readonly #camera: SiteCamera;
  readonly #withBerths: boolean;
  readonly #json: boolean;
  readonly #out: (line: string) => void;
  readonly #progress: (text: string) => void;
  readonly #berths = new Map<string, BerthTally>();
  readonly #classes = new Map<string, number>();
  readonly #plates = new Map<string, number>();
  readonly #began = performance.now();
  #pictures = 0;
  #gated = 0;
  #details = 0;
  #vehicles = 0;
  #first: number | null = null;
  #last = 0;

  constructor(camera: SiteCamera, withBerths: boolean, json: boolean, out: (line: string) => void, progress: (text: string) => void) {
    this.#camera = camera;
    this.#withBerths = withBerths;
    this.#json = json;
    this.#out = out;
    this.#progress = progress;
  }

  step(step: AnalysedStep): void {
    const { keyframe } = step;
    this.#pictures++;
    this.#gated += keyframe.basis === 'gated' ? 1 : 0;
    this.#details += step.detailFrames;
    this.#first ??= keyframe.capturedAt;
    this.#last = keyframe.capturedAt;
    this.#vehicles += keyframe.vehicles.length;
    for (const vehicle of keyframe.vehicles) {
      this.#classes.set(vehicle.class, (this.#classes.get(vehicle.class) ?? 0) + 1);
      if (vehicle.plate && vehicle.plate.text !== '' && keyframe.basis === 'inferred') this.#plates.set(vehicle.plate.text, (this.#plates.get(vehicle.plate.text) ?? 0) + 1);
    }
    const views = this.#withBerths ? berthViews(step.state.parking, cameraSite(this.#camera)) : [];
    for (const view of views) {
      const tally = this.#berths.get(view.berthId) ?? { number: view.number, occupied: 0, changes: 0, now: false };
      if (tally.now !== view.occupied) tally.changes++;
      tally.now = view.occupied;
      tally.occupied += view.occupied ? 1 : 0;
      this.#berths.set(view.berthId, tally);
    }
    if (this.#json) {
      this.#out(JSON.stringify({ type: 'picture', ...keyframe, detailFrames: step.detailFrames, berths: views }));
    }
    for (const event of step.events) {
      if (this.#json) this.#out(JSON.stringify({ type: 'event', event }));
      else if ('visit' in event && this.#withBerths) this.#out(`${beijingDateTime(event.at)}  ${event.type.padEnd(9)}  berth ${views.find((view) => view.berthId === event.visit.berthId)?.number ?? event.visit.berthId}  ${plateWords(event.visit.plate)}  ${event.visit.uid}`);
    }
    this.#progress(`\r${this.#pictures} key frames, ${((this.#last - this.#first) / 1000).toFixed(0)} s of footage   `);
  }

  finish(visits: readonly VisitRecord[]): void {
    this.#progress('\r');
    const seconds = (performance.now() - this.#began) / 1000;
    const footageSeconds = (this.#last - (this.#first ?? this.#last)) / 1000;
    const totals = {
      pictures: this.#pictures,
      gatedPictures: this.#gated,
      detailPictures: this.#details,
      footageSeconds: Number(footageSeconds.toFixed(1)),
      seconds: Number(seconds.toFixed(1)),
      vehicleSightings: this.#vehicles,
      classes: Object.fromEntries(this.#classes),
      plates: Object.fromEntries([...this.#plates].sort((a, b) => b[1] - a[1]).slice(0, 50)),
      berths: [...this.#berths].map(([id, tally]) => ({ id, number: tally.number, occupiedShare: Number((tally.occupied / Math.max(1, this.#pictures)).toFixed(3)), changes: tally.changes, occupied: tally.now })),
      visits: visits.map(({ visit, pictures }) => ({ ...visit, pictures: pictures.map((picture) => picture.id) })),
    };
    if (this.#json) {
      this.#out(JSON.stringify({ type: 'summary', ...totals }));
      return;
    }
    this.#out(`\n${totals.pictures} key frames of ${totals.footageSeconds} s of footage in ${totals.seconds} s (${totals.gatedPictures} gated, ${totals.detailPictures} pictures between looked at)`);
    this.#out(`vehicles: ${totals.vehicleSightings} sightings, ${(totals.vehicleSightings / Math.max(1, totals.pictures)).toFixed(1)} a picture${totals.vehicleSightings > 0 ? ` (${Object.entries(totals.classes).map(([name, n]) => `${name} ${n}`).join(', ')})` : ''}`);
    for (const berth of totals.berths) this.#out(`berth ${berth.number}: occupied ${(100 * berth.occupiedShare).toFixed(0)} % of the time, ${berth.changes} changes, now ${berth.occupied ? 'occupied' : 'free'}`);
    for (const visit of totals.visits) this.#out(`visit ${visit.uid}: ${plateWords(visit.plate)}, ${beijingDateTime(visit.enteredAt)} to ${visit.leftAt === null ? '…' : beijingDateTime(visit.leftAt)}, ${visit.pictures.length} pictures`);
  }
}
