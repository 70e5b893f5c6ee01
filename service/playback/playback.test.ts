import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import { parseRange } from '../api/send-sized.js';
import { ByteCache } from './byte-cache.js';
import { clipsOf } from './exports/visit-zip.js';
import { partsBody } from './sized-body.js';
import { Tickets, ticketOf } from './tickets.js';
import { parseMoment } from './time-parameter.js';
import { fitSize } from './transcoder.js';

const NOON = Date.parse('2026-01-05T12:00:00+08:00');

describe('moments', () => {
  it.each([
    ['2026-01-05T12:00:00+08:00', NOON],
    ['2026-01-05T12:00:00 08:00', NOON],
    ['2026-01-05T12:00:00.250+0800', NOON + 250],
    ['2026-01-05T04:00:00Z', NOON],
    ['2026-01-05T00:30-03:30', NOON],
    ['2026-01-05 12:00', NOON],
    ['2026-1-5 12:00:00', NOON],
    [String(NOON), NOON],
  ])('%s', (text, moment) => expect(parseMoment(text)).toBe(moment));

  it.each(['', 'now', '2026-02-30T00:00:00+08:00', '2026-01-05T25:00:00Z', '2026-01-05T12:00:00+99:00', '9999999999999999', '-5', '1e3'])('not "%s"', (text) => expect(parseMoment(text)).toBeNull());
});

describe('ranges of HTTP', () => {
  it.each([
    ['bytes=0-0', { from: 0, to: 0 }],
    ['bytes=5-', { from: 5, to: 9 }],
    ['bytes=-3', { from: 7, to: 9 }],
    ['bytes=-30', { from: 0, to: 9 }],
    ['bytes=2-99', { from: 2, to: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-2', null],
    ['bytes=0-1,3-4', null],
    ['items=0-1', null],
    ['bytes=-', null],
    [undefined, null],
  ])('%s', (header, expected) => expect(parseRange(header, 10)).toEqual(expected));
});

describe('bodies of parts', () => {
  it('give any range, and read only the parts that it touches', async () => {
    const whole = Buffer.from('abcdefghij');
    const read: number[] = [];
    const body = partsBody([[0, 3], [3, 4], [4, 10]].map(([from, to], i) => ({ size: (to as number) - (from as number), read: () => (read.push(i), Promise.resolve(whole.subarray(from, to))) })), 'x', '"e"');
    for (let from = 0; from < 10; from++) {
      for (let to = from + 1; to <= 10; to++) {
        const parts: Uint8Array[] = [];
        for await (const part of body.read(from, to)) parts.push(part);
        expect(Buffer.concat(parts).toString()).toBe(whole.toString('latin1', from, to));
      }
    }
    read.length = 0;
    for await (const _ of body.read(3, 4)) expect(_).toHaveLength(1);
    expect(read).toEqual([1]);
  });
});

describe('tickets', () => {
  const clock = new ManualClock();
  const tickets = new Tickets({ token: 'a-token-for-this-test', clock, lifetimeMs: 1_000 });

  it('say what they were issued for until their time is over, and nothing else', () => {
    const { ticket, expiresAt } = tickets.issue({ kind: 'camera', id: 'cam-1', from: 5, to: null });
    expect(tickets.read(ticket)).toEqual({ kind: 'camera', id: 'cam-1', from: 5, to: null, expiresAt });
    expect(ticketOf(`/api/play/${ticket}/footage.m3u8?from=1`)).toBe(ticket);
    expect(ticketOf('/api/cameras')).toBeNull();
    for (let i = 0; i < ticket.length; i++) {
      const forged = ticket.slice(0, i) + (ticket[i] === 'A' ? 'B' : 'A') + ticket.slice(i + 1);
      const read = tickets.read(forged);
      // The last character of a base64 text may carry bits that nobody reads.
      if (read !== null) expect(read).toEqual(tickets.read(ticket));
    }
    expect(new Tickets({ token: 'another-token-for-it', clock, lifetimeMs: 1_000 }).read(ticket)).toBeNull();
    clock.advance(1_001);
    expect(tickets.read(ticket)).toBeNull();
  });
});

describe('small parts', () => {
  it('keeps the most recently used bytes, never more than allowed', () => {
    const cache = new ByteCache(10);
    for (const key of ['a', 'b', 'c']) cache.set(key, Buffer.alloc(4));
    expect([cache.get('a'), cache.bytes]).toEqual([null, 8]);
    cache.get('b');
    cache.set('d', Buffer.alloc(4));
    expect([cache.get('c'), cache.get('b')?.length]).toEqual([null, 4]);
    cache.set('e', Buffer.alloc(100));
    expect(cache.bytes).toBe(0);
  });

  it('makes pictures smaller in their shape, with even sides', () => {
    expect(fitSize(3840, 2160, 1080)).toEqual({ width: 1920, height: 1080 });
    expect(fitSize(641, 361, 1080)).toEqual({ width: 642, height: 362 });
    expect(fitSize(704, 576, 288)).toEqual({ width: 352, height: 288 });
  });

  it('chooses the clips of a visit: two, one where they touch, up to now where the vehicle stands', () => {
    const options = { beforeMs: 10_000, afterMs: 20_000, wholeStay: false, watermark: null };
    const spans = (leftAt: number | null, more = {}): [number, number][] => clipsOf({ enteredAt: 100_000, leftAt }, { ...options, ...more }, 900_000).map(({ from, to }) => [from, to]);
    expect(spans(500_000)).toEqual([[90_000, 120_000], [490_000, 520_000]]);
    expect(spans(125_000)).toEqual([[90_000, 145_000]]);
    expect(spans(null)).toEqual([[90_000, 120_000]]);
    expect(spans(500_000, { wholeStay: true })).toEqual([[90_000, 520_000]]);
    expect(spans(null, { wholeStay: true })).toEqual([[90_000, 900_000]]);
  });
});
