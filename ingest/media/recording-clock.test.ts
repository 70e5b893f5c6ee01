import { describe, expect, it } from 'vitest';
import { RecordingClock } from './recording-clock.js';

const FROM = 1_700_000_000_000;
const MINUTE = 60_000;
const clock = (): RecordingClock => new RecordingClock(FROM, FROM + 10 * MINUTE);
const second = 90_000;

describe('the time of a recording', () => {
  it("is the stream's own from the beginning of what was asked for", () => {
    const c = clock();
    expect(c.place(500)).toEqual({ pts: 500, capturedAt: FROM, shift: 0, discontinuity: null });
    expect(c.place(500 + 3600)).toMatchObject({ pts: 4100, capturedAt: FROM + 40 });
    expect(c.place(500 + 3600)).toMatchObject({ pts: 4101, shift: -1 });
    expect(c.locate(500 + second)).toEqual({ pts: 500 + second, capturedAt: FROM + 1000 });
    expect(c.ticksAt()).toBe(4101);
  });

  it('keeps a gap of the recording, and bridges a counter that was set anew', () => {
    const c = clock();
    c.place(0);
    const gap = c.place(120 * second);
    expect(gap).toMatchObject({ pts: 120 * second, capturedAt: FROM + 2 * MINUTE, discontinuity: { cause: 'stream' } });
    expect(c.place(50)).toMatchObject({ pts: 120 * second + 3600, capturedAt: FROM + 2 * MINUTE + 40, discontinuity: { cause: 'stream' } });
    expect(c.place(50 + 3600)).toMatchObject({ capturedAt: FROM + 2 * MINUTE + 80, discontinuity: null });
    // Beyond what was asked for a jump cannot be meant.
    expect(c.place(99 * 60 * second)).toMatchObject({ capturedAt: FROM + 2 * MINUTE + 120 });
  });

  it('follows those who wind, forth and back; pts still rises', () => {
    const c = clock();
    c.place(0);
    c.place(3600);
    c.seek(5 * MINUTE);
    expect(c.place(7200)).toMatchObject({ capturedAt: FROM + 80, discontinuity: null });
    const there = c.place(300 * second);
    expect(there).toMatchObject({ capturedAt: FROM + 5 * MINUTE });
    c.seek(MINUTE);
    const back = c.place(60 * second);
    expect(back.capturedAt).toBe(FROM + MINUTE);
    expect(back.pts).toBe(there.pts + 3600);
    // Devices that restart their counter when they jump.
    c.seek(2 * MINUTE);
    expect(c.place(0).capturedAt).toBe(FROM + 2 * MINUTE);
  });

  it('goes back where it plays backwards, whichever way the counter goes', () => {
    const c = clock();
    c.place(100 * second);
    c.seek(8 * MINUTE);
    c.place(900 * second);
    c.backwards = true;
    expect(c.place(899 * second)).toMatchObject({ capturedAt: FROM + 8 * MINUTE - 1000, discontinuity: null });
    const next = c.place(900 * second);
    expect(next.capturedAt).toBe(FROM + 8 * MINUTE - 2000);
    c.backwards = false;
    expect(c.place(900 * second + 3600)).toMatchObject({ pts: next.pts + 3600, capturedAt: next.capturedAt + 40 });
  });

  it('begins where somebody wound to before the first picture came', () => {
    const c = clock();
    c.seek(3 * MINUTE);
    expect(c.place(0).capturedAt).toBe(FROM + 3 * MINUTE);
  });
});
