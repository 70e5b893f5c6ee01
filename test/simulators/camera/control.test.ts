import { beforeEach, describe, expect, it } from 'vitest';
import { EventLog } from '../common/event-log.js';
import { parseCameraConfig, type CameraConfig } from './config.js';
import { ControlState } from './control-state.js';
import { DeviceSettings } from './device-settings.js';
import { parseManscdp } from './manscdp.js';
import { recordMessages } from './records.js';
import { readSnapshotOrder } from './snapshots.js';

const CHANNEL = '37020000001310000001';
const config = (version: '2.0' | '3.0'): CameraConfig =>
  parseCameraConfig({ server: { id: '37020000002000000001', port: 5060 }, device: { id: '37020000001320000001', password: 'x', version }, channels: [{ id: CHANNEL, clip: 'none.mp4' }], presets: [{ number: 1, name: 'a' }], recordings: { list: [{ channelId: CHANNEL, startsAt: Date.UTC(2026, 0, 5, 4), endsAt: Date.UTC(2026, 0, 5, 5) }] } });
const command = (inner: string, deviceId = CHANNEL): NonNullable<ReturnType<typeof parseManscdp>> => parseManscdp(Buffer.from(`<Control><CmdType>DeviceControl</CmdType><SN>1</SN><DeviceID>${deviceId}</DeviceID>${inner}</Control>`))!;

/** The simulated device must not forgive what a real one would not understand. */
describe('a simulated device', () => {
  let state: ControlState;
  let log: EventLog;
  beforeEach(() => {
    log = new EventLog();
    state = new ControlState(config('2.0'), log, () => undefined);
  });
  const refused = (): unknown[] => log.events('control-refused').map(({ why }) => why);

  it.each([
    ['a wrong sum', 'A50F0101320000E9'],
    ['another head', 'A60F0101320000E9'],
    ['a wrong check nibble', 'A50E0101320000E7'],
    ['left and right at once', 'A50F0103320000EA'],
    ['a preset that is not there', 'A50F01820007003E'],
    ['preset 0', 'A50F018100000036'],
    ['a cruise that is not there', 'A50F01880100003E'],
    ['too few digits', 'A50F01'],
  ])('refuses PTZCmd with %s', (_what, hex) => {
    expect(state.apply(command(`<PTZCmd>${hex}</PTZCmd>`))).toBeNull();
    expect(refused()).toEqual([`PTZCmd ${hex}`]);
    expect(log.events('ptz')).toEqual([]);
  });

  it('does what is right, and answers only what the standard has answered', () => {
    expect(state.apply(command('<PTZCmd>A50F0101320000E8</PTZCmd>'))).toBeNull();
    expect(state.of(CHANNEL)?.moving).toMatchObject({ pan: 'right', panSpeed: 0x32 });
    expect([state.apply(command('<RecordCmd>Record</RecordCmd>')), state.apply(command('<RecordCmd>Start</RecordCmd>')), state.apply(command('<GuardCmd>SetGuard</GuardCmd>', '37020000001310000099'))]).toEqual(['OK', 'ERROR', 'ERROR']);
    expect(state.apply(command('<HomePosition><Enabled>1</Enabled><ResetTime>5</ResetTime></HomePosition>'))).toBe('ERROR');
  });

  it('knows the key frame command of its own edition only', () => {
    state.apply(command('<IFrameCmd>Send</IFrameCmd>'));
    state.apply(command('<IFameCmd>Send</IFameCmd>'));
    expect([state.of(CHANNEL)?.keyFrames, refused().length]).toEqual([1, 1]);
    const newer = new ControlState(config('3.0'), log, () => undefined);
    newer.apply(command('<IFrameCmd>Send</IFrameCmd>'));
    newer.apply(command('<IFameCmd>Send</IFameCmd>'));
    expect(newer.of(CHANNEL)?.keyFrames).toBe(1);
  });

  it('has the configuration of its edition, and takes only sensible changes', () => {
    expect([new DeviceSettings(config('2.0')).parts(['OSDConfig']), new DeviceSettings(config('3.0')).parts(['BasicParam', 'OSDConfig'])?.length]).toEqual([null, 2]);
    const settings = new DeviceSettings(config('2.0'));
    expect(settings.apply('<BasicParam><HeartBeatInterval>2</HeartBeatInterval></BasicParam>')).toBe(false);
    expect(settings.apply('<Other/>')).toBe(false);
    expect(settings.apply('<BasicParam><Name>A &lt;1&gt;</Name><HeartBeatCount>5</HeartBeatCount></BasicParam>')).toBe(true);
    expect([settings.name, settings.heartBeatCount]).toEqual(['A <1>', 5]);
  });

  it('answers RecordInfo only for times as the standard writes them', () => {
    const ask = (start: string, end = '2026-01-05T13:00:00', more = ''): number | null => recordMessages(config('2.0'), '1', CHANNEL, `<StartTime>${start}</StartTime><EndTime>${end}</EndTime>${more}`)?.length ?? null;
    expect([ask('2026-01-05T12:00:00'), ask('2026-01-05 12:00:00'), ask('2026-01-05T04:00:00Z'), ask('2026-01-05T12:00:00', '2026-01-05T13:00:00', '<Type>every</Type>')]).toEqual([1, null, null, null]);
  });

  it.each(['<SnapNum>11</SnapNum>', '<SessionID>short</SessionID>', '<UploadURL>no url</UploadURL>', '<Interval>0</Interval>'])('takes no snapshot for %s', (wrong) => {
    const right = { SnapNum: '1', Interval: '1', UploadURL: 'http://127.0.0.1:1/a', SessionID: 'a'.repeat(32) };
    const text = Object.entries(right).map(([name, value]) => (wrong.startsWith(`<${name}>`) ? wrong : `<${name}>${value}</${name}>`)).join('');
    expect(readSnapshotOrder(text, CHANNEL)).toBeNull();
    expect(readSnapshotOrder(Object.entries(right).map(([name, value]) => `<${name}>${value}</${name}>`).join(''), CHANNEL)).toMatchObject({ count: 1 });
  });
});
