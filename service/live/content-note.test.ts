import { describe, expect, it } from 'vitest';
import { contentNote } from './content-note.js';

describe('what people are told of a stream’s content', () => {
  it.each([
    ['mpeg4', /MPEG-4 part 2 video.*set its encoding to H\.264 or H\.265/],
    ['svac', /SVAC video.*set its encoding/],
    ['mpeg-ts', /transport stream.*set its GB\/T 28181 stream to PS/],
    ['payload type 34', /unknown kind \(payload type 34\)/],
  ])('%s: what it is, and what to do', (what, told) => {
    expect(contentNote({ type: 'unsupported', what })).toMatch(told);
  });

  it('sound that is not kept is named, and the recording is not in doubt', () => {
    expect(contentNote({ type: 'audio', codec: 'g729', kept: false })).toMatch(/G\.729 sound.*set its sound to G\.711 or AAC; its pictures are recorded all the same/);
    expect(contentNote({ type: 'audio', codec: 'type 0x81', kept: false })).toMatch(/type 0x81/);
  });

  it('nothing where all is well', () => {
    expect(contentNote({ type: 'audio', codec: 'g711a', kept: true })).toBeNull();
    expect(contentNote({ type: 'loss', packets: 3 })).toBeNull();
  });
});
