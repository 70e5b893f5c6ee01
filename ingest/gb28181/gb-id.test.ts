import { expect, it } from 'vitest';
import { isGbId, isVideoChannel } from './gb-id.js';

it.each([
  ['34020000001320000001', true, true],
  ['34020000001310000001', true, true],
  ['34020000001340000001', true, false],
  ['34020000002150000001', true, false],
  ['3402000000132000000', false, false],
  ['3402000000132000000x', false, false],
])('%s is an id: %s, a video channel: %s', (id, gb, video) => {
  expect(isGbId(id)).toBe(gb);
  expect(isVideoChannel(id)).toBe(video);
});
