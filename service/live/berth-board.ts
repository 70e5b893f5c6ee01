import type { CameraSite } from '../../parking/model/berth.js';
import { berthViews, type BerthView } from '../../parking/counts.js';
import type { PipelineState } from '../analysis/pipeline.js';
import type { Feed } from './feed.js';

export type LiveBerth = BerthView & { state: 'free' | 'occupied' | 'changing' | 'unknown' };

/** The berths of all cameras as last analysed; tells the feed when one changes. */
export class BerthBoard {
  readonly #feed: Feed;
  readonly #cameras = new Map<string, { berths: LiveBerth[]; analysedTo: number }>();

  constructor(feed: Feed) {
    this.#feed = feed;
  }

  /** Takes the state after an analysed step. */
  update(site: CameraSite, state: PipelineState, analysedTo: number): void {
    const before = this.#cameras.get(site.cameraId)?.berths;
    const berths = berthViews(state.parking, site).map((view): LiveBerth => ({ ...view, state: view.occupied ? (leaving(state, view.berthId) ? 'changing' : 'occupied') : 'free' }));
    this.#cameras.set(site.cameraId, { berths, analysedTo });
    for (const berth of berths) {
      const known = before?.find((b) => b.berthId === berth.berthId);
      if (known?.state !== berth.state) this.#feed.publish('berth-state', { cameraId: site.cameraId, berthId: berth.berthId, state: berth.state });
    }
  }

  /** Footage up to a moment was passed over unanalysed: the berths stay as they were last seen. */
  passed(cameraId: string, capturedAt: number): void {
    this.#cameras.set(cameraId, { berths: this.#cameras.get(cameraId)?.berths ?? [], analysedTo: capturedAt });
  }

  berths(cameraId: string): readonly LiveBerth[] {
    return this.#cameras.get(cameraId)?.berths ?? [];
  }

  analysedTo(cameraId: string): number | null {
    return this.#cameras.get(cameraId)?.analysedTo ?? null;
  }
}

/** The occupant was not seen in its berth on the last look; whether it left is not decided yet. */
function leaving(state: PipelineState, berthId: string): boolean {
  return state.parking.berths.find((berth) => berth.berthId === berthId)?.occupant?.absentSince != null;
}
