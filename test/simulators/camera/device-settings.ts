import type { CameraConfig } from './config.js';
import { element, elementBody, elementText } from './manscdp.js';

/** What ConfigDownload tells and DeviceConfig sets (GB/T 28181-2016 and 2022, A.2.3.2, A.2.4.7). */
export class DeviceSettings {
  name: string;
  expirationS: number;
  heartBeatIntervalS: number;
  heartBeatCount: number;
  private readonly heartBeatText: string | null;
  private readonly is2022: boolean;

  constructor({ device, registration, misbehaviour }: CameraConfig) {
    this.name = device.name;
    this.expirationS = registration.expiresS;
    this.heartBeatIntervalS = Math.max(1, Math.round(registration.keepaliveMs / 1000));
    this.heartBeatCount = registration.missedKeepalives;
    this.heartBeatText = misbehaviour.saysHeartBeatInterval;
    this.is2022 = device.version === '3.0';
  }

  /** The parts of an answer, one a type; null where a type is unknown to the edition: then the whole is an ERROR. */
  parts(types: readonly string[]): string[] | null {
    const known: Record<string, string> = {
      BasicParam: `<BasicParam>\r\n${element('Name', this.name)}${element('Expiration', this.expirationS)}${element('HeartBeatInterval', this.heartBeatText ?? this.heartBeatIntervalS)}${element('HeartBeatCount', this.heartBeatCount)}</BasicParam>\r\n`,
      VideoParamOpt: `<VideoParamOpt>\r\n${element('DownloadSpeed', '1/2/4')}${element('Resolution', '5/6')}</VideoParamOpt>\r\n`,
      SVACEncodeConfig: '<SVACEncodeConfig>\r\n</SVACEncodeConfig>\r\n',
      SVACDecodeConfig: '<SVACDecodeConfig>\r\n</SVACDecodeConfig>\r\n',
      ...(this.is2022
        ? {
            VideoParamAttribute: `<VideoParamAttribute Num="2">\r\n${['0', '1'].map((n) => `<Item>\r\n${element('StreamNumber', n)}${element('VideoFormat', 'H.265')}${element('FrameRate', '25')}</Item>\r\n`).join('')}</VideoParamAttribute>\r\n`,
            VideoRecordPlan: `<VideoRecordPlan>\r\n${element('RecordEnable', 1)}</VideoRecordPlan>\r\n`,
            VideoAlarmRecord: `<VideoAlarmRecord>\r\n${element('RecordEnable', 0)}</VideoAlarmRecord>\r\n`,
            PictureMask: `<PictureMask>\r\n${element('On', 0)}</PictureMask>\r\n`,
            FrameMirror: '<FrameMirror>0</FrameMirror>\r\n',
            AlarmReport: `<AlarmReport>\r\n${element('MotionDetection', 1)}${element('FieldDetection', 0)}</AlarmReport>\r\n`,
            OSDConfig: `<OSDConfig>\r\n${element('Length', 1920)}${element('Width', 1080)}${element('TimeEnable', 1)}</OSDConfig>\r\n`,
            SnapShotConfig: `<SnapShotConfig>\r\n${element('SnapNum', 1)}${element('Interval', 1)}</SnapShotConfig>\r\n`,
          }
        : {}),
    };
    const parts = types.map((type) => known[type]);
    return parts.every((part) => part !== undefined) ? parts : null;
  }

  /** True where the change was right and is done. */
  apply(text: string): boolean {
    const basic = elementBody(text, 'BasicParam');
    if (basic === null) return false;
    const number = (name: string, least: number, most: number): number | null | undefined => {
      const value = elementText(basic, name);
      if (value === null) return null;
      return /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most ? Number(value) : undefined;
    };
    const expiration = number('Expiration', 3600, 100_000);
    const interval = number('HeartBeatInterval', 5, 255);
    const count = number('HeartBeatCount', 3, 255);
    if (expiration === undefined || interval === undefined || count === undefined) return false;
    this.name = elementText(basic, 'Name')?.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&') ?? this.name;
    this.expirationS = expiration ?? this.expirationS;
    this.heartBeatIntervalS = interval ?? this.heartBeatIntervalS;
    this.heartBeatCount = count ?? this.heartBeatCount;
    return true;
  }
}
