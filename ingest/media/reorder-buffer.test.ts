import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReorderBuffer, type ReorderOptions } from './reorder-buffer.js';
import type { RtpPacket } from './rtp-packet.js';

const packet = (sequence: number): RtpPacket => ({ payloadType: 96, marker: false, sequence: sequence & 0xffff, timestamp: 0, ssrc: 1, payload: Buffer.from([1]) });

interface Out {
  sequence: number;
  gap: number;
  restart: boolean;
}

function rig(options?: ReorderOptions): { buffer: ReorderBuffer; out: Out[]; order: () => number[] } {
  const out: Out[] = [];
  const buffer = new ReorderBuffer((p, gap, restart) => out.push({ sequence: p.sequence, gap, restart }), options);
  return { buffer, out, order: () => out.map(({ sequence }) => sequence) };
}

describe('ReorderBuffer', () => {
  it('passes packets in order straight on', () => {
    const { buffer, order } = rig();
    for (let i = 65_530; i < 65_545; i++) buffer.push(packet(i), i);
    expect(order()).toEqual(Array.from({ length: 15 }, (_, i) => (65_530 + i) & 0xffff));
    expect(buffer.held).toBe(0);
  });

  it('restores any order within its reach, whatever is doubled', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65_535 }), fc.array(fc.tuple(fc.integer({ min: 0, max: 100 }), fc.boolean()), { minLength: 1, maxLength: 200 }), (start, plan) => {
        const { buffer, out } = rig({ maxWaitMs: 1e9 });
        buffer.push(packet(start), 0);
        const sent = plan.flatMap(([delay, twice], i) => [{ at: i + delay, n: start + 1 + i }, ...(twice ? [{ at: i + delay + 1, n: start + 1 + i }] : [])]);
        sent.sort((a, b) => a.at - b.at);
        for (const { n } of sent) buffer.push(packet(n), 0);
        expect(out.map(({ sequence }) => sequence)).toEqual(Array.from({ length: plan.length + 1 }, (_, i) => (start + i) & 0xffff));
        expect(out.every(({ gap }) => gap === 0)).toBe(true);
        expect(buffer.stats.duplicates + buffer.stats.late).toBe(sent.length - plan.length);
        expect([buffer.held, buffer.heldBytes]).toEqual([0, 0]);
      }),
      { numRuns: 200 },
    );
  });

  it('gives a hole up after its time and reports how many are missing', () => {
    const { buffer, out } = rig({ maxWaitMs: 200 });
    for (const n of [10, 11, 14, 15]) buffer.push(packet(n), 1000);
    expect(out.length).toBe(2);
    buffer.poll(1199);
    expect(out.length).toBe(2);
    buffer.poll(1200);
    expect(out.slice(2)).toEqual([{ sequence: 14, gap: 2, restart: false }, { sequence: 15, gap: 0, restart: false }]);
    buffer.push(packet(12), 1201);
    expect(buffer.stats).toMatchObject({ lost: 2, late: 1 });
  });

  it('gives a hole up when its room is full', () => {
    const { buffer, out } = rig({ capacity: 8, maxWaitMs: 1e9 });
    buffer.push(packet(0), 0);
    for (let n = 2; n < 30; n++) {
      buffer.push(packet(n), 0);
      expect(buffer.held).toBeLessThan(8);
    }
    expect(out.map(({ sequence, gap }) => [sequence, gap]).slice(0, 3)).toEqual([[0, 0], [2, 1], [3, 0]]);
    expect(out.length).toBe(29);
  });

  it('reports a large hole once', () => {
    const { buffer, out } = rig({ capacity: 8 });
    buffer.push(packet(0), 0);
    buffer.push(packet(1000), 0);
    buffer.push(packet(1001), 0);
    buffer.flush(0);
    expect(out).toEqual([{ sequence: 0, gap: 0, restart: false }, { sequence: 1000, gap: 999, restart: false }, { sequence: 1001, gap: 0, restart: false }]);
  });

  it('one wild number is ignored, two in a row are a restarted sender, whose first packet counts', () => {
    const { buffer, out } = rig();
    for (const n of [100, 101, 40_000, 102]) buffer.push(packet(n), 0);
    expect(out.map(({ sequence }) => sequence)).toEqual([100, 101, 102]);
    for (const n of [30_000, 30_001, 30_002]) buffer.push(packet(n), 0);
    expect(out.slice(3)).toEqual([{ sequence: 30_000, gap: 0, restart: true }, { sequence: 30_001, gap: 0, restart: false }, { sequence: 30_002, gap: 0, restart: false }]);
    expect(buffer.stats.restarts).toBe(1);
  });

  it('stays bounded for any numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 65_535 }), fc.integer({ min: 0, max: 50 })), { maxLength: 500 }), (sent) => {
        const { buffer, out } = rig({ capacity: 16 });
        let now = 0;
        for (const [n, wait] of sent) {
          buffer.push(packet(n), (now += wait));
          expect(buffer.held).toBeLessThan(16);
        }
        buffer.flush(now);
        expect(buffer.held).toBe(0);
        expect(out.length).toBeLessThanOrEqual(sent.length);
      }),
      { numRuns: 100 },
    );
  });
});
