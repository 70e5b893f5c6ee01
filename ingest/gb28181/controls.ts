import { BerthwatchError } from '../../base/errors.js';
import { editionOf } from './gb-version.js';
import type { ManscdpField } from './manscdp.js';
import { encodePtz, type PtzCommand } from './ptz.js';

/** A rectangle dragged over a displayed picture (GB/T 28181-2016 A.2.3.1.9); all lengths in pixels of the display. */
export interface DragBox {
  displayWidth: number;
  displayHeight: number;
  centreX: number;
  centreY: number;
  width: number;
  height: number;
}

/** DeviceControl (GB/T 28181-2016 9.3 and A.2.3). */
export type ControlCommand =
  | { kind: 'ptz'; ptz: PtzCommand; /** Name of a preset that is set; told to devices of 2022. */ presetName?: string | undefined }
  | { kind: 'reboot' }
  | { kind: 'record'; on: boolean; /** 2022: which stream, 0 main. */ streamNumber?: number | undefined }
  | { kind: 'guard'; on: boolean }
  | { kind: 'reset-alarm'; /** Which alarms, as numbers of the standard; all without them. */ method?: number | undefined; type?: number | undefined }
  | { kind: 'key-frame' }
  | { kind: 'home'; enabled: boolean; /** Seconds without a command after which the camera goes home. */ resetTimeS?: number | undefined; preset?: number | undefined }
  | { kind: 'drag-zoom'; direction: 'in' | 'out'; box: DragBox };

/** What the command's bytes depend on. */
export interface ControlPeer {
  gbVersion: string | null;
  keyFrameCommand: 'IFameCmd' | 'IFrameCmd' | null;
}

export interface BuiltControl {
  fields: ManscdpField[];
  /** Whether the standard wants a Response; the others are done with their 200. */
  answered: boolean;
}

/** @throws BerthwatchError bad-input for values out of range */
export function buildControl(command: ControlCommand, peer: ControlPeer): BuiltControl {
  const is2022 = editionOf(peer.gbVersion) === '2022';
  switch (command.kind) {
    case 'ptz': {
      const named = command.presetName !== undefined && is2022 && command.ptz.kind === 'preset' && command.ptz.action === 'set';
      return { fields: [['PTZCmd', encodePtz(command.ptz)], ...(named ? [['PTZCmdParams', [['PresetName', command.presetName as string]]] as const] : [])], answered: false };
    }
    case 'reboot':
      return { fields: [['TeleBoot', 'Boot']], answered: false };
    case 'record':
      return {
        fields: [['RecordCmd', command.on ? 'Record' : 'StopRecord'], ...(is2022 && command.streamNumber !== undefined ? [['StreamNumber', whole('streamNumber', command.streamNumber, 0, 255)] as const] : [])],
        answered: true,
      };
    case 'guard':
      return { fields: [['GuardCmd', command.on ? 'SetGuard' : 'ResetGuard']], answered: true };
    case 'reset-alarm':
      return { fields: [['AlarmCmd', 'ResetAlarm'], ...alarmFilter(command)], answered: true };
    case 'key-frame':
      // IFameCmd is the spelling of the 2011 and 2016 texts, and what their devices know.
      return { fields: [[peer.keyFrameCommand ?? (is2022 ? 'IFrameCmd' : 'IFameCmd'), 'Send']], answered: false };
    case 'home':
      return { fields: [['HomePosition', home(command)]], answered: true };
    case 'drag-zoom':
      return { fields: [[command.direction === 'in' ? 'DragZoomIn' : 'DragZoomOut', dragBox(command.box)]], answered: false };
  }
}

function alarmFilter({ method, type }: Extract<ControlCommand, { kind: 'reset-alarm' }>): ManscdpField[] {
  const inner: ManscdpField[] = [];
  if (method !== undefined) inner.push(['AlarmMethod', whole('method', method, 0, 7)]);
  if (type !== undefined) inner.push(['AlarmType', whole('type', type, 1, 255)]);
  return inner.length === 0 ? [] : [['Info', inner]];
}

function home(command: Extract<ControlCommand, { kind: 'home' }>): ManscdpField[] {
  const fields: ManscdpField[] = [['Enabled', command.enabled ? 1 : 0]];
  if (command.enabled) {
    if (command.preset === undefined) throw new BerthwatchError('bad-input', 'GB_CONTROL', 'a home position needs the number of its preset');
    fields.push(['ResetTime', whole('resetTimeS', command.resetTimeS ?? 60, 1, 86_400)], ['PresetIndex', whole('preset', command.preset, 0, 255)]);
  }
  return fields;
}

function dragBox(box: DragBox): ManscdpField[] {
  const width = whole('displayWidth', box.displayWidth, 1, 65_535);
  const height = whole('displayHeight', box.displayHeight, 1, 65_535);
  // Length and Width are those of the display, LengthX and LengthY those of the box.
  return [
    ['Length', width],
    ['Width', height],
    ['MidPointX', whole('centreX', box.centreX, 0, width)],
    ['MidPointY', whole('centreY', box.centreY, 0, height)],
    ['LengthX', whole('width', box.width, 1, width)],
    ['LengthY', whole('height', box.height, 1, height)],
  ];
}

function whole(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) throw new BerthwatchError('bad-input', 'GB_CONTROL', `${name} must be a whole number from ${least} to ${most}, not ${value}`);
  return value;
}
