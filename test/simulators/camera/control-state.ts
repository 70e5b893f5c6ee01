import type { EventLog } from '../common/event-log.js';
import type { CameraConfig } from './config.js';
import { elementBody, elementText, type ManscdpCommand } from './manscdp.js';

/** What a channel was told, for tests to look at. */
export interface ChannelControl {
  /** Movement under way, with its speeds. */
  moving: { pan: 'left' | 'right' | null; tilt: 'up' | 'down' | null; zoom: 'in' | 'out' | null; panSpeed: number; tiltSpeed: number; zoomSpeed: number } | null;
  lens: { focus: 'far' | 'near' | null; iris: 'open' | 'close' | null; focusSpeed: number; irisSpeed: number } | null;
  atPreset: number | null;
  cruises: Map<number, { presets: number[]; speed: number | null; dwell: number | null }>;
  cruising: number | null;
  scans: Map<number, { left: boolean; right: boolean; speed: number | null }>;
  scanning: number | null;
  auxiliary: Set<number>;
  recording: boolean;
  home: { resetTimeS: number; preset: number } | null;
  zoomedTo: { direction: 'in' | 'out'; values: number[] } | null;
  keyFrames: number;
}

const freshChannel = (): ChannelControl => ({
  moving: null, lens: null, atPreset: null, cruises: new Map(), cruising: null, scans: new Map(), scanning: null, auxiliary: new Set(),
  recording: false, home: null, zoomedTo: null, keyFrames: 0,
});

/** What became of a command: the result of a Response where the standard wants one, null where it wants none. */
export type ControlOutcome = 'OK' | 'ERROR' | null;

const DRAG_FIELDS = ['Length', 'Width', 'MidPointX', 'MidPointY', 'LengthX', 'LengthY'];

/** DeviceControl as a device does it (GB/T 28181-2016 and 2022, A.2.3): state, and what is refused. */
export class ControlState {
  readonly presets: Map<number, string>;
  guarded = false;
  alarming = false;
  reboots = 0;
  private readonly channels = new Map<string, ChannelControl>();

  constructor(
    private readonly config: CameraConfig,
    private readonly log: EventLog,
    private readonly onReboot: () => void,
  ) {
    this.presets = new Map(config.presets.map(({ number, name }) => [number, name]));
  }

  /** A channel's state, or the device's own under its id; null for an id that is neither. */
  of(id: string): ChannelControl | null {
    const known = id === this.config.device.id || this.config.channels.some((channel) => channel.id === id);
    if (!known) return null;
    const state = this.channels.get(id) ?? freshChannel();
    this.channels.set(id, state);
    return state;
  }

  apply({ text, deviceId }: ManscdpCommand): ControlOutcome {
    const channel = this.of(deviceId);
    const is2022 = this.config.device.version === '3.0';
    const value = (name: string): string | null => elementText(text, name);
    const confirmed = /<(RecordCmd|GuardCmd|AlarmCmd|HomePosition)\b/i.test(text);
    const refuse = (why: string): ControlOutcome => {
      this.log.emit('control-refused', { channel: deviceId, why });
      return confirmed ? 'ERROR' : null;
    };
    if (!channel) return refuse('no such channel');
    const ptz = value('PTZCmd');
    if (ptz !== null) return this.ptz(channel, deviceId, ptz) ? null : refuse(`PTZCmd ${ptz}`);
    const done = (command: string, detail: Record<string, unknown> = {}): void => this.log.emit('control', { channel: deviceId, command, ...detail });
    if (value('TeleBoot') !== null) {
      if (value('TeleBoot') !== 'Boot') return refuse('TeleBoot');
      this.reboots += 1;
      done('reboot');
      this.onReboot();
      return null;
    }
    const record = value('RecordCmd');
    if (record !== null) {
      if (record !== 'Record' && record !== 'StopRecord') return refuse(`RecordCmd ${record}`);
      channel.recording = record === 'Record';
      done('record', { on: channel.recording, streamNumber: value('StreamNumber') });
      return 'OK';
    }
    const guard = value('GuardCmd');
    if (guard !== null) {
      if (guard !== 'SetGuard' && guard !== 'ResetGuard') return refuse(`GuardCmd ${guard}`);
      this.guarded = guard === 'SetGuard';
      done('guard', { on: this.guarded });
      return 'OK';
    }
    if (value('AlarmCmd') !== null) {
      if (value('AlarmCmd') !== 'ResetAlarm') return refuse('AlarmCmd');
      this.alarming = false;
      done('reset-alarm', { method: value('AlarmMethod'), type: value('AlarmType') });
      return 'OK';
    }
    // The element is spelled IFameCmd until 2016, IFrameCmd in 2022: devices know their own.
    const keyFrame = value(is2022 ? 'IFrameCmd' : 'IFameCmd');
    if (keyFrame !== null) {
      if (keyFrame !== 'Send') return refuse('key frame');
      channel.keyFrames += 1;
      done('key-frame');
      return null;
    }
    const home = elementBody(text, 'HomePosition');
    if (home !== null) return this.home(channel, home) ? (done('home', { home: channel.home }), 'OK') : refuse('HomePosition');
    for (const direction of ['In', 'Out'] as const) {
      const drag = elementBody(text, `DragZoom${direction}`);
      if (drag === null) continue;
      const values = DRAG_FIELDS.map((name) => Number(elementText(drag, name) ?? NaN));
      if (!values.every((number) => Number.isInteger(number) && number >= 0)) return refuse('DragZoom');
      channel.zoomedTo = { direction: direction === 'In' ? 'in' : 'out', values };
      done('drag-zoom', channel.zoomedTo);
      return null;
    }
    return refuse('a command that this edition does not know');
  }

  private home(channel: ChannelControl, text: string): boolean {
    const enabled = elementText(text, 'Enabled');
    if (enabled === '0') {
      channel.home = null;
      return true;
    }
    const resetTimeS = Number(elementText(text, 'ResetTime') ?? NaN);
    const preset = Number(elementText(text, 'PresetIndex') ?? NaN);
    if (enabled !== '1' || !Number.isInteger(resetTimeS) || !Number.isInteger(preset)) return false;
    channel.home = { resetTimeS, preset };
    return true;
  }

  /** Annex A.3: head A5, the check nibble, the sum, then the instruction. */
  private ptz(channel: ChannelControl, id: string, hex: string): boolean {
    if (!/^[0-9A-F]{16}$/i.test(hex)) return false;
    const b = Buffer.from(hex, 'hex');
    const byte = (i: number): number => b[i] as number;
    const check = ((byte(0) >> 4) + (byte(0) & 15) + (byte(1) >> 4)) % 16;
    const sum = b.subarray(0, 7).reduce((total, value) => total + value, 0) % 256;
    if (byte(0) !== 0xa5 || (byte(1) & 15) !== check || byte(7) !== sum) return false;
    const [code, data1, data2, data3] = [byte(3), byte(4), byte(5), byte(6) >> 4];
    const twelve = data2 | (data3 << 8);
    const cruise = (): { presets: number[]; speed: number | null; dwell: number | null } => {
      const known = channel.cruises.get(data1) ?? { presets: [], speed: null, dwell: null };
      channel.cruises.set(data1, known);
      return known;
    };
    const scan = (): { left: boolean; right: boolean; speed: number | null } => {
      const known = channel.scans.get(data1) ?? { left: false, right: false, speed: null };
      channel.scans.set(data1, known);
      return known;
    };
    if (code < 0x40) {
      // Left and right, up and down, in and out at the same time mean nothing.
      if ((code & 3) === 3 || (code & 12) === 12 || (code & 48) === 48) return false;
      const moving = { pan: code & 1 ? ('right' as const) : code & 2 ? ('left' as const) : null, tilt: code & 4 ? ('down' as const) : code & 8 ? ('up' as const) : null, zoom: code & 16 ? ('in' as const) : code & 32 ? ('out' as const) : null, panSpeed: data1, tiltSpeed: data2, zoomSpeed: data3 };
      channel.moving = code === 0 ? null : moving;
      if (code === 0) channel.lens = channel.cruising = channel.scanning = null;
      if (code !== 0) channel.atPreset = null;
    } else if (code <= 0x4f) {
      if ((code & 3) === 3 || (code & 12) === 12) return false;
      channel.lens = code === 0x40 ? null : { focus: code & 1 ? 'far' : code & 2 ? 'near' : null, iris: code & 4 ? 'open' : code & 8 ? 'close' : null, focusSpeed: data1, irisSpeed: data2 };
    } else if (code >= 0x81 && code <= 0x83) {
      if (data2 === 0) return false;
      if (code === 0x81) this.presets.set(data2, `预置位${data2}`);
      else if (code === 0x83) this.presets.delete(data2);
      else if (!this.presets.has(data2)) return false;
      else channel.atPreset = data2;
    } else if (code === 0x84) cruise().presets.push(data2);
    else if (code === 0x85) {
      if (data2 === 0) channel.cruises.delete(data1);
      else cruise().presets = cruise().presets.filter((preset) => preset !== data2);
    } else if (code === 0x86) cruise().speed = twelve;
    else if (code === 0x87) cruise().dwell = twelve;
    else if (code === 0x88) {
      if (!channel.cruises.has(data1)) return false;
      channel.cruising = data1;
    } else if (code === 0x89) {
      if (data2 === 0) channel.scanning = data1;
      else if (data2 === 1) scan().left = true;
      else if (data2 === 2) scan().right = true;
      else return false;
    } else if (code === 0x8a) scan().speed = twelve;
    else if (code === 0x8c) channel.auxiliary.add(data1);
    else if (code === 0x8d) channel.auxiliary.delete(data1);
    else return false;
    this.log.emit('ptz', { channel: id, code, data1, data2, data3 });
    return true;
  }
}
