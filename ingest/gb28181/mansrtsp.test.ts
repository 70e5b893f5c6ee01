import { describe, expect, it } from 'vitest';
import { buildMansrtsp, parseMansrtsp, type PlaybackCommand } from './mansrtsp.js';

const text = (command: PlaybackCommand): string => Buffer.from(buildMansrtsp(command, 7)).toString();
const read = (message: string): ReturnType<typeof parseMansrtsp> => parseMansrtsp(Buffer.from(message));

describe('MANSRTSP', () => {
  it('is written as devices want it', () => {
    expect(text({ do: 'pause' })).toBe('PAUSE RTSP/1.0\r\nCSeq: 7\r\nPauseTime: now\r\n\r\n');
    expect(text({ do: 'play' })).toBe('PLAY RTSP/1.0\r\nCSeq: 7\r\nRange: npt=now-\r\n\r\n');
    expect(text({ do: 'play', scale: 2 })).toBe('PLAY RTSP/1.0\r\nCSeq: 7\r\nScale: 2.0\r\nRange: npt=now-\r\n\r\n');
    expect(text({ do: 'play', scale: -0.25, positionS: 90.5 })).toBe('PLAY RTSP/1.0\r\nCSeq: 7\r\nScale: -0.25\r\nRange: npt=90.5-\r\n\r\n');
    expect(text({ do: 'teardown' })).toBe('TEARDOWN RTSP/1.0\r\nCSeq: 7\r\n\r\n');
  });

  it.each([0, 0.1, 8, -5, NaN])('refuses %s as a speed', (scale) => expect(() => text({ do: 'play', scale })).toThrow(/give 0.25 to 4/));
  it.each([-1, NaN, 1e9])('refuses %s as a position', (positionS) => expect(() => text({ do: 'play', positionS })).toThrow(/seconds from its start/));

  it('reads answers of both names and any line end', () => {
    expect(read('RTSP/1.0 200 OK\r\nCSeq: 3\r\nRTP-Info: seq=1;rtptime=2\r\n\r\n')).toEqual({ status: 200, reason: 'OK', method: null, cseq: 3, scale: null, positionS: null });
    expect(read('\r\nMANSRTSP/1.0 457 Invalid Range\nCSeq: 4')).toMatchObject({ status: 457, reason: 'Invalid Range', cseq: 4 });
    expect(read('RTSP/1.0 200\nScale: -2.0\nRange: npt=12.5-')).toMatchObject({ status: 200, reason: '', scale: -2, positionS: 12.5 });
    expect(read('PLAY MANSRTSP/1.0\r\nCSeq: 2\r\nRange: npt=now-')).toMatchObject({ status: null, method: 'PLAY', cseq: 2, positionS: null });
  });

  it.each(['', 'hello', 'SIP/2.0 200 OK', '<Response/>'])('says so where %j is something else', (body) => expect(() => read(body)).toThrow(/is no MANSRTSP/));
});
