import { describe, expect, it } from 'vitest';
import { ReceptionStatistics, parseRtcp } from './rtcp.js';
import { parseRtp } from './rtp-packet.js';
import { rtpPacket } from './test-muxer.js';
import { circularDelta, PTS_MODULUS, RTP_MODULUS, TimestampUnwrapper } from './timestamp.js';

describe('parseRtp', () => {
  const payload = Buffer.from('payload');

  it('reads every field', () => {
    expect(parseRtp(rtpPacket(payload, 65_535, 2 ** 32 - 1, true, { ssrc: 2 ** 32 - 2, payloadType: 127 }))).toEqual({
      payloadType: 127,
      marker: true,
      sequence: 65_535,
      timestamp: 2 ** 32 - 1,
      ssrc: 2 ** 32 - 2,
      payload,
    });
  });

  it('skips CSRC list, extension and padding', () => {
    expect(parseRtp(rtpPacket(payload, 1, 2, false, { ornate: true }))).toMatchObject({ payload });
  });

  it('names what is wrong', () => {
    const good = rtpPacket(payload, 1, 2, false);
    const changed = (at: number, value: number): Buffer => {
      const copy = Buffer.from(good);
      copy[at] = value;
      return copy;
    };
    expect(parseRtp(Buffer.alloc(3))).toBe('short');
    expect(parseRtp(good.subarray(0, 11))).toBe('short');
    expect(parseRtp(changed(0, 0x40))).toBe('version');
    expect(parseRtp(changed(0, 0x8f))).toBe('header');
    expect(parseRtp(changed(0, 0x90))).toBe('header');
    expect(parseRtp(changed(0, 0xa0))).toBe('padding');
    expect(parseRtp(Buffer.concat([changed(0, 0xa0), Buffer.from([0])]))).toBe('padding');
    for (let type = 200; type <= 207; type++) expect(parseRtp(changed(1, type))).toBe('rtcp');
    expect(parseRtp(changed(1, 199))).toMatchObject({ payloadType: 71, marker: true });
  });

  it('takes an empty payload for a keep-alive', () => {
    expect(parseRtp(rtpPacket(Buffer.alloc(0), 1, 2, false))).toMatchObject({ payload: Buffer.alloc(0) });
  });
});

describe('timestamps', () => {
  it('measures on the circle', () => {
    expect(circularDelta(RTP_MODULUS - 10, 5, RTP_MODULUS)).toBe(15);
    expect(circularDelta(5, RTP_MODULUS - 10, RTP_MODULUS)).toBe(-15);
  });

  it.each([RTP_MODULUS, PTS_MODULUS])('go on over 60 wraps of %d, also backwards', (modulus) => {
    const unwrapper = new TimestampUnwrapper(modulus);
    const step = modulus / 4 - 7;
    for (let i = 0; i < 240; i++) expect(unwrapper.unwrap((i * step) % modulus)).toBe(i * step);
    expect(unwrapper.unwrap((239 * step - 3000) % modulus)).toBe(239 * step - 3000);
  });
});

describe('RTCP', () => {
  it('counts loss as RFC 3550 appendix A.3 does', () => {
    const statistics = new ReceptionStatistics();
    for (const sequence of [65_534, 65_535, 0, 2, 3, 5]) statistics.packet(sequence, sequence * 3600, sequence * 40);
    const report = statistics.report(1, 2, 'x', 0);
    expect(report.readUInt32BE(16)).toBe(65_536 + 5);
    expect(report.readIntBE(13, 3)).toBe(2);
    expect(report[12]).toBe(Math.floor((2 * 256) / 8));
    expect(statistics.report(1, 2, 'x', 0)[12]).toBe(0);
  });

  it('survives cut packets', () => {
    const whole = Buffer.concat([new ReceptionStatistics().report(1, 2, 'berthwatch', 0), Buffer.from([0x81, 203, 0, 1, 0, 0, 0, 9])]);
    expect(parseRtcp(whole).byes).toEqual([9]);
    for (let end = 0; end < whole.length; end++) expect(parseRtcp(whole.subarray(0, end)).byes).toEqual([]);
  });
});
