import type { VisitPlate } from '../model/visit.js';
import type { BallotEntry } from '../state.js';
import { readingWeight } from './ballot.js';

const PROVINCES = '京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼';
const LETTERS = 'A-HJ-NP-Z';
const ORDINARY = new RegExp(`^[${PROVINCES}][${LETTERS}][${LETTERS}0-9]{4}[${LETTERS}0-9挂学警港澳]$`);
const SMALL_NEW_ENERGY = new RegExp(`^[${PROVINCES}][${LETTERS}][A-HJK][${LETTERS}0-9][0-9]{4}$`);
const LARGE_NEW_ENERGY = new RegExp(`^[${PROVINCES}][${LETTERS}][0-9]{5}[A-HJK]$`);

/** Text and colour agree with GA 36: eight characters are new-energy and green, seven are not. */
function grammatical(entry: BallotEntry): boolean {
  if (entry.colour === 'green') return SMALL_NEW_ENERGY.test(entry.text);
  if (entry.colour === 'yellow-green') return LARGE_NEW_ENERGY.test(entry.text);
  return ORDINARY.test(entry.text);
}

/** The plate that a vehicle's readings agree on; `unread` where they do not agree well enough: a wrong record costs money. */
export function votePlate(readings: readonly BallotEntry[]): VisitPlate {
  const support = new Map<string, { weight: number; looks: number; best: BallotEntry }>();
  let total = 0;
  for (const entry of readings) {
    const weight = readingWeight(entry);
    total += weight;
    if (!grammatical(entry)) continue;
    const known = support.get(entry.text);
    if (!known) support.set(entry.text, { weight, looks: 1, best: entry });
    else {
      known.weight += weight;
      known.looks += 1;
      if (entry.colourConfidence > known.best.colourConfidence) known.best = entry;
    }
  }
  let text = '';
  let top: { weight: number; looks: number; best: BallotEntry } | undefined;
  for (const [candidate, value] of support) {
    if (!top || value.weight > top.weight) {
      top = value;
      text = candidate;
    }
  }
  if (!top || total <= 0) return { status: 'unread' };
  const agreement = top.weight / total;
  const sure = top.looks >= 2 ? top.weight / top.looks >= 0.4 : top.weight >= 0.8;
  if (!sure || agreement < 0.6) return { status: 'unread' };
  return { status: 'read', text, colour: top.best.colour, confidence: Math.round(Math.min(1, agreement * Math.min(1, 0.7 + 0.1 * top.looks)) * 1000) / 1000 };
}
