import type { CameraSite } from './model/berth.js';
import type { VisitPlate } from './model/visit.js';
import type { CameraState } from './state.js';

/** A berth as people see it now. */
export interface BerthView {
  berthId: string;
  number: string;
  occupied: boolean;
  visitId: string | null;
  plate: VisitPlate | null;
  /** Unix ms of the last change known of the berth; null before the first. */
  since: number | null;
}

/** The berths of a camera in the site's order. A berth counts as occupied from the confirmed enter to the confirmed leave. */
export function berthViews(state: CameraState, site: CameraSite): BerthView[] {
  return site.berths.map((berth) => {
    const known = state.berths.find((b) => b.berthId === berth.id);
    const visit = known?.occupant?.visit;
    return {
      berthId: berth.id,
      number: berth.number,
      occupied: visit !== undefined,
      visitId: visit?.id ?? null,
      plate: visit?.plate ?? null,
      since: visit?.enteredAt ?? known?.lastLeftAt ?? null,
    };
  });
}

/** Berths of one lot over all its cameras: 泊位总数 and 剩余泊位数 of a record. */
export function lotCounts(lotCode: string, cameras: readonly { state: CameraState; site: CameraSite }[]): { totalBerths: number; freeBerths: number } {
  let totalBerths = 0;
  let freeBerths = 0;
  for (const { state, site } of cameras) {
    const views = berthViews(state, site);
    site.berths.forEach((berth, i) => {
      if (berth.lotCode !== lotCode) return;
      totalBerths += 1;
      if (!views[i]?.occupied) freeBerths += 1;
    });
  }
  return { totalBerths, freeBerths };
}
