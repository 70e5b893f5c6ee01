import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import { StreamFramer } from './stream-framer.js';

const message = (n: number, body = ''): string => `MESSAGE sip:s@d SIP/2.0\r\nCall-ID: ${n}\r\nl: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;
const text = (messages: Uint8Array[]): string[] => messages.map((bytes) => Buffer.from(bytes).toString('latin1'));
const bytes = (value: string): Uint8Array => Buffer.from(value, 'latin1');

describe('the stream framer', () => {
  it('finds the same messages however the stream is cut', () => {
    const expected = [message(1), message(2, 'x'.repeat(5000)), message(3, 'body with\r\n\r\nempty lines'), message(4)];
    const stream = bytes(`\r\n\r\n${expected.join('\r\n')}`);
    const random = seededRandom(7);
    for (let round = 0; round < 200; round++) {
      const framer = new StreamFramer();
      const found: string[] = [];
      for (let at = 0; at < stream.length; ) {
        const size = round === 0 ? 1 : 1 + Math.floor(random() * (round % 2 ? 12 : 4000));
        found.push(...text(framer.push(stream.subarray(at, at + size))));
        at += size;
      }
      expect(found).toEqual(expected);
      expect(framer.buffered).toBe(0);
      expect(framer.skippedBytes).toBe(0);
    }
  });

  it('reports pings', () => {
    const framer = new StreamFramer();
    framer.push(bytes('\r\n\r\n'));
    expect(framer.takePings()).toBe(1);
    expect(framer.takePings()).toBe(0);
  });

  it('takes bare LF and a folded length', () => {
    expect(text(new StreamFramer().push(bytes('OPTIONS sip:x SIP/2.0\nContent-Length:\n 2\n\nabSIP/2.0 200 OK\nl: 0\n\n')))).toHaveLength(2);
  });

  it('goes on after a body longer than announced (characters counted instead of bytes)', () => {
    const framer = new StreamFramer();
    const damaged = message(1, '<Notify></Notify>').replace('l: 17', 'l: 11');
    const found = text(framer.push(bytes(`${damaged}\r\n${message(2)}${message(3)}`)));
    expect(found.slice(1)).toEqual([message(2), message(3)]);
    expect(framer.skippedBytes).toBeGreaterThan(0);
  });

  it('goes on where the tail of a body runs into the next start line', () => {
    const damaged = message(1, '<Notify></Notify>').replace('l: 17', 'l: 11');
    expect(text(new StreamFramer().push(bytes(`${damaged}${message(2)}${message(3)}`))).slice(1)).toEqual([message(2), message(3)]);
  });

  it('goes on after a body shorter than announced swallowed the next head', () => {
    const damaged = message(1, 'abc').replace('l: 3', 'l: 30');
    const found = text(new StreamFramer().push(bytes(damaged + message(2) + message(3))));
    expect(found.at(-1)).toBe(message(3));
  });

  it.each([
    ['noise', bytes(Array.from({ length: 40_000 }, (_, i) => String.fromCharCode((i * 7919) % 256)).join(''))],
    ['a header without end', bytes(`OPTIONS sip:x SIP/2.0\r\n${'X-Long: y\r\n'.repeat(10_000)}`)],
    ['one line without end', bytes('A'.repeat(40_000))],
    ['a huge announced body', bytes('MESSAGE sip:x SIP/2.0\r\nContent-Length: 999999999\r\n\r\n')],
    ['a negative length', bytes('MESSAGE sip:x SIP/2.0\r\nContent-Length: -5\r\n\r\n')],
    ['two lengths', bytes('MESSAGE sip:x SIP/2.0\r\nContent-Length: 5\r\nl: 6\r\n\r\n')],
  ])('gives up on %s, holding little', (_name, input) => {
    const framer = new StreamFramer();
    let thrown = false;
    let most = 0;
    for (let at = 0; at < input.length && !thrown && framer.broken === null; at += 1000) {
      try {
        framer.push(input.subarray(at, at + 1000));
      } catch (error) {
        thrown = true;
        expect(error).toMatchObject({ kind: 'bad-input' });
      }
      most = Math.max(most, framer.buffered);
    }
    expect(thrown || framer.broken !== null).toBe(true);
    expect(most).toBeLessThan(70_000);
  });

  it('hands out the head of a message whose length is no number, so that it can be refused, and nothing behind it', () => {
    const framer = new StreamFramer();
    const head = 'MESSAGE sip:x SIP/2.0\r\nContent-Length: -5\r\n\r\n';
    expect(text(framer.push(bytes(`${head}OPTIONS sip:x SIP/2.0\r\nl: 0\r\n\r\n`)))).toEqual([head]);
    expect(framer.broken).toContain('Content-Length is not a number');
    expect(framer.push(bytes('OPTIONS sip:x SIP/2.0\r\nl: 0\r\n\r\n'))).toEqual([]);
    expect(framer.buffered).toBe(0);
  });
});
