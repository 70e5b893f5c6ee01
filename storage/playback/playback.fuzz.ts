import type { FuzzTarget } from '../../base/fuzz-target.js';
import { BerthwatchError } from '../../base/errors.js';
import { fitDurations, placeFragment, readFragmentTracks } from './fragment-tracks.js';
import { readInitSegment } from './init-segment.js';

/** Runs a parser; only errors that are meant for bad input may come out of it. */
function guarded<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof BerthwatchError && error.code === 'FOOTAGE_DAMAGED') return null;
    throw error;
  }
}

const PLACE = { sequence: 7, decodeTime: 90_000, endTime: 270_000 };

/** What playback reads of segment files: headers, and the boxes of fragments that it writes into. */
export const target: FuzzTarget = {
  name: 'playback',
  corpusDir: 'storage/footage/corpus/fmp4',
  run(input) {
    const bytes = Buffer.from(input);
    const moof = bytes.indexOf('moof');
    const headerEnd = moof < 4 ? bytes.length : moof - 4;
    const init = guarded(() => readInitSegment(bytes.subarray(0, headerEnd)));
    if (init && init.bytes.length > bytes.length) throw new Error('an initialisation segment is larger than the header it was made of');

    const fragment = Buffer.from(bytes.subarray(headerEnd));
    const before = guarded(() => readFragmentTracks(fragment));
    if (!before) return;
    for (const { samples } of before) for (const { from, to } of samples) if (from < 0 || to < from || to > fragment.length) throw new Error('a sample lies outside of its fragment');
    const length = fragment.length;
    if (guarded(() => placeFragment(fragment, PLACE, () => 8_000)) === null) return;
    const after = readFragmentTracks(fragment).find((track) => track.id === 1);
    if (fragment.length !== length || after?.decodeTime !== PLACE.decodeTime) throw new Error('a fragment is not where it was put');
  },
};

/** For tests: the sum of what `fitDurations` gives is always the whole. */
export const fits = (durations: readonly number[], total: number): boolean => fitDurations(durations, total).reduce((sum, duration) => sum + duration, 0) === total;
