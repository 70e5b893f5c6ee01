import { BerthwatchError } from '../base/errors.js';

/** What a stay costs. `free`: nothing. `per-unit`: a price for each started unit of time. */
export type Tariff =
  | { kind: 'free' }
  | {
      kind: 'per-unit';
      /** Stays up to this long cost nothing; a longer stay is charged from its beginning. */
      freeMinutes: number;
      unitMinutes: number;
      /** Fen for each started unit. */
      feePerUnit: number;
      /** Most that one day of 24 hours, counted from the entering, may cost, in fen; null: no cap. */
      dayCap: number | null;
    };

export const FREE_TARIFF: Tariff = { kind: 'free' };

const MINUTE = 60_000;
const DAY = 86_400_000;

/**
 * The fee of a stay in fen.
 * @param enteredAt, leftAt Unix ms
 * @throws BerthwatchError bad-input where the times or the tariff make no sense
 */
export function parkingFee(tariff: Tariff, enteredAt: number, leftAt: number): number {
  const stay = leftAt - enteredAt;
  if (!(stay >= 0)) throw new BerthwatchError('bad-input', 'PARKING_FEE_TIMES', `a stay cannot end (${leftAt}) before it begins (${enteredAt})`);
  if (tariff.kind === 'free') return 0;
  const { freeMinutes, unitMinutes, feePerUnit, dayCap } = tariff;
  const whole = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
  if (!(unitMinutes > 0) || !(freeMinutes >= 0) || !whole(feePerUnit) || (dayCap !== null && !whole(dayCap))) {
    throw new BerthwatchError('bad-input', 'PARKING_TARIFF', 'a tariff needs unitMinutes > 0, freeMinutes >= 0 and whole, non-negative fen', { detail: { tariff } });
  }
  if (stay <= freeMinutes * MINUTE) return 0;
  const cost = (ms: number): number => {
    const fee = Math.ceil(ms / (unitMinutes * MINUTE)) * feePerUnit;
    return dayCap === null ? fee : Math.min(fee, dayCap);
  };
  if (dayCap === null) return cost(stay);
  const days = Math.floor(stay / DAY);
  return days * cost(DAY) + cost(stay - days * DAY);
}
