import { describe, expect, it } from 'vitest';
import { pauseBefore, troubleOf, type Failure } from './footage-trouble.js';

const failure = (more: Partial<Failure>): Failure => ({ type: 'networkError', details: 'fragLoadError', status: undefined, answer: undefined, ...more });

describe('why footage is not shown', () => {
  it('is what the service said, where it said something', () => {
    const answer = JSON.stringify({ error: 'PLAYBACK_BUSY', message: 'try again in a moment' });
    expect(troubleOf(failure({ status: 503, answer }))).toEqual({ said: 'try again in a moment' });
    expect(troubleOf(failure({ status: 503, answer: new TextEncoder().encode(answer).buffer }))).toEqual({ said: 'try again in a moment' });
    expect(troubleOf(failure({ status: 502, answer: '<html>Bad Gateway' }))).toEqual({ said: 'HTTP 502' });
  });

  it('has words for what nobody said', () => {
    expect(troubleOf(failure({}))).toEqual({ known: 'unreachable' });
    expect(troubleOf(failure({ details: 'fragLoadTimeOut' }))).toEqual({ known: 'slow' });
    expect(troubleOf(failure({ type: 'mediaError', details: 'bufferAppendError' }))).toEqual({ known: 'damaged' });
  });
});

describe('trying again', () => {
  it('goes on while the service is away or busy, ever more slowly', () => {
    expect([0, 1, 2, 3, 4, 5, 500].map((attempt) => pauseBefore(attempt, failure({ status: 503 })))).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    expect(pauseBefore(500, failure({ status: 0 }))).toBe(15_000);
  });

  it('ends soon where another try hardly helps', () => {
    for (const one of [failure({ status: 404 }), failure({ type: 'mediaError' })]) expect([0, 2, 3].map((attempt) => pauseBefore(attempt, one))).toEqual([1_000, 4_000, null]);
  });
});
