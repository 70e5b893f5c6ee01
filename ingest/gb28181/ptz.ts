import { BerthwatchError } from '../../base/errors.js';

/**
 * PTZCmd (GB/T 28181-2016 annex A.3): eight bytes as 16 upper-case hexadecimal digits.
 *
 * ```
 * b1 A5   b2 version 0, check (A + 5 + 0) mod 16 = F   b3 address, low byte   b4 command   b5 data 1   b6 data 2
 * b7 data 3 (high nibble) | address, high nibble       b8 sum of b1 to b7 mod 256
 * ```
 */
export type PtzCommand =
  | {
      kind: 'move';
      pan?: 'left' | 'right' | undefined;
      tilt?: 'up' | 'down' | undefined;
      zoom?: 'in' | 'out' | undefined;
      /** 0 to 255, default 128. */
      panSpeed?: number | undefined;
      tiltSpeed?: number | undefined;
      /** 0 to 15, default 8. */
      zoomSpeed?: number | undefined;
    }
  | {
      kind: 'lens';
      focus?: 'far' | 'near' | undefined;
      iris?: 'open' | 'close' | undefined;
      /** 0 to 255, default 128. */
      focusSpeed?: number | undefined;
      irisSpeed?: number | undefined;
    }
  /** Ends move and lens commands, cruises and scans. */
  | { kind: 'stop' }
  | { kind: 'preset'; action: 'set' | 'call' | 'delete'; /** 1 to 255. */ preset: number }
  | { kind: 'cruise'; action: 'add-preset' | 'delete-preset'; /** 0 to 255. */ group: number; preset: number }
  | { kind: 'cruise'; action: 'delete' | 'start'; group: number }
  | { kind: 'cruise'; action: 'speed'; group: number; /** 1 to 4095. */ value: number }
  | { kind: 'cruise'; action: 'dwell'; group: number; /** Seconds at each preset, 1 to 4095. */ value: number }
  | { kind: 'scan'; action: 'start' | 'set-left' | 'set-right'; group: number }
  | { kind: 'scan'; action: 'speed'; group: number; value: number }
  /** Auxiliary switches; 1 is the wiper. */
  | { kind: 'aux'; on: boolean; number: number };

const FIRST = 0xa5;
const VERSION_AND_CHECK = 0x0f;
/** The standard's default address. */
const ADDRESS = 0x001;

function byte(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) throw new BerthwatchError('bad-input', 'GB_PTZ', `${name} must be a whole number from ${least} to ${most}, not ${value}`);
  return value;
}

/** @returns 16 hexadecimal digits. @throws BerthwatchError bad-input for numbers out of range and a move that moves nothing */
export function encodePtz(command: PtzCommand): string {
  const [code, data1, data2, data3] = parts(command);
  const bytes = [FIRST, VERSION_AND_CHECK, ADDRESS & 0xff, code, data1, data2, (data3 << 4) | (ADDRESS >> 8)];
  bytes.push(bytes.reduce((sum, value) => sum + value, 0) & 0xff);
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

type Parts = [code: number, data1: number, data2: number, data3: number];

function parts(command: PtzCommand): Parts {
  switch (command.kind) {
    case 'stop':
      return [0, 0, 0, 0];
    case 'move':
      return move(command);
    case 'lens':
      return lens(command);
    case 'preset':
      return [{ set: 0x81, call: 0x82, delete: 0x83 }[command.action], 0, byte('preset', command.preset, 1, 255), 0];
    case 'cruise':
      return cruise(command);
    case 'scan':
      return scan(command);
    case 'aux':
      return [command.on ? 0x8c : 0x8d, byte('number', command.number, 0, 255), 0, 0];
  }
}

function move(command: Extract<PtzCommand, { kind: 'move' }>): Parts {
  const { pan, tilt, zoom } = command;
  const code = (pan === 'right' ? 1 : pan === 'left' ? 2 : 0) | (tilt === 'down' ? 4 : tilt === 'up' ? 8 : 0) | (zoom === 'in' ? 16 : zoom === 'out' ? 32 : 0);
  if (code === 0) throw new BerthwatchError('bad-input', 'GB_PTZ', 'a move needs pan, tilt or zoom; to end one send stop');
  return [
    code,
    pan ? byte('panSpeed', command.panSpeed ?? 128, 0, 255) : 0,
    tilt ? byte('tiltSpeed', command.tiltSpeed ?? 128, 0, 255) : 0,
    zoom ? byte('zoomSpeed', command.zoomSpeed ?? 8, 0, 15) : 0,
  ];
}

function lens(command: Extract<PtzCommand, { kind: 'lens' }>): Parts {
  const { focus, iris } = command;
  const bits = (focus === 'far' ? 1 : focus === 'near' ? 2 : 0) | (iris === 'open' ? 4 : iris === 'close' ? 8 : 0);
  if (bits === 0) throw new BerthwatchError('bad-input', 'GB_PTZ', 'a lens command needs focus or iris; to end one send stop');
  return [0x40 | bits, focus ? byte('focusSpeed', command.focusSpeed ?? 128, 0, 255) : 0, iris ? byte('irisSpeed', command.irisSpeed ?? 128, 0, 255) : 0, 0];
}

function cruise(command: Extract<PtzCommand, { kind: 'cruise' }>): Parts {
  const group = byte('group', command.group, 0, 255);
  switch (command.action) {
    case 'add-preset':
      return [0x84, group, byte('preset', command.preset, 1, 255), 0];
    case 'delete-preset':
      return [0x85, group, byte('preset', command.preset, 1, 255), 0];
    case 'delete':
      // Preset 0: the whole cruise.
      return [0x85, group, 0, 0];
    case 'speed':
      return [0x86, group, ...twelveBits(command.value)];
    case 'dwell':
      return [0x87, group, ...twelveBits(command.value)];
    case 'start':
      return [0x88, group, 0, 0];
  }
}

function scan(command: Extract<PtzCommand, { kind: 'scan' }>): Parts {
  const group = byte('group', command.group, 0, 255);
  if (command.action === 'speed') return [0x8a, group, ...twelveBits(command.value)];
  return [0x89, group, { start: 0, 'set-left': 1, 'set-right': 2 }[command.action], 0];
}

/** Low eight bits in data 2, high four in data 3. */
function twelveBits(value: number): [number, number] {
  const checked = byte('value', value, 1, 4095);
  return [checked & 0xff, checked >> 8];
}
