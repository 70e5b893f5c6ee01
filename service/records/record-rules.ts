import { BerthwatchError } from '../../base/errors.js';
import { parkingFee, type Tariff } from '../../parking/fee.js';
import type { Site } from '../config/site.js';
import type { RecordRules } from './analysis-store.js';

/** What records need to know of a site: whose lot a berth is in, how many berths that has, and what a stay costs there. */
export function recordRules(site: Site, platforms: RecordRules['platforms']): RecordRules {
  const lots = new Map(site.cameras.flatMap((camera) => camera.berths.map((berth) => [berth.id, camera.lot] as const)));
  const lotOfBerth = (berthId: string): string => {
    const lot = lots.get(berthId);
    if (lot === undefined) throw new BerthwatchError('not-found', 'SITE_BERTH', `berth ${berthId} is not in the site`);
    return lot;
  };
  return {
    platforms,
    lotOfBerth,
    totalBerths: (lotCode) => site.cameras.filter((camera) => camera.lot === lotCode).reduce((sum, camera) => sum + camera.berths.length, 0),
    feeFen: (visit) => parkingFee(tariffOf(site, lotOfBerth(visit.berthId)), visit.enteredAt, visit.leftAt ?? visit.enteredAt),
  };
}

function tariffOf(site: Site, lotCode: string): Tariff {
  const tariff = site.lots.find((lot) => lot.code === lotCode)?.tariff ?? null;
  return tariff === null ? { kind: 'free' } : { kind: 'per-unit', freeMinutes: tariff.freeMinutes, unitMinutes: tariff.unitMinutes, feePerUnit: tariff.unitFen, dayCap: tariff.dayCapFen };
}
