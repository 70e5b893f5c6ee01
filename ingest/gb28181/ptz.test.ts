import { describe, expect, it } from 'vitest';
import { encodePtz, type PtzCommand } from './ptz.js';

describe('PTZCmd', () => {
  it.each<[string, PtzCommand, string]>([
    ['stop', { kind: 'stop' }, 'A50F0100000000B5'],
    ['right at 0x32', { kind: 'move', pan: 'right', panSpeed: 0x32 }, 'A50F0101320000E8'],
    ['up at 0x32', { kind: 'move', tilt: 'up', tiltSpeed: 0x32 }, 'A50F0108003200EF'],
    ['zoom in at 1', { kind: 'move', zoom: 'in', zoomSpeed: 1 }, 'A50F0110000010D5'],
    ['goto preset 1', { kind: 'preset', action: 'call', preset: 1 }, 'A50F018200010038'],
    ['left and up; a zoom speed without zoom is not sent', { kind: 'move', pan: 'left', tilt: 'up', panSpeed: 0x10, tiltSpeed: 0x20, zoomSpeed: 3 }, 'A50F010A102000EF'],
    ['focus near, iris open', { kind: 'lens', focus: 'near', iris: 'open', focusSpeed: 2, irisSpeed: 3 }, 'A50F014602030000'],
    ['set preset 255', { kind: 'preset', action: 'set', preset: 255 }, 'A50F018100FF0035'],
    ['cruise 1 dwells 0x123', { kind: 'cruise', action: 'dwell', group: 1, value: 0x123 }, 'A50F018701231070'],
    ['delete cruise 2', { kind: 'cruise', action: 'delete', group: 2 }, 'A50F01850200003C'],
    ['scan 3 sets its right end', { kind: 'scan', action: 'set-right', group: 3 }, 'A50F018903020043'],
    ['wiper on', { kind: 'aux', on: true, number: 1 }, 'A50F018C01000042'],
    ['wiper off', { kind: 'aux', on: false, number: 1 }, 'A50F018D01000043'],
  ])('%s', (_name, command, bytes) => {
    expect(encodePtz(command)).toBe(bytes);
  });

  it.each<[PtzCommand, RegExp]>([
    [{ kind: 'move' }, /needs pan, tilt or zoom/],
    [{ kind: 'move', pan: 'left', panSpeed: 256 }, /panSpeed must be a whole number from 0 to 255/],
    [{ kind: 'move', zoom: 'in', zoomSpeed: 16 }, /zoomSpeed/],
    [{ kind: 'lens' }, /needs focus or iris/],
    [{ kind: 'preset', action: 'set', preset: 0 }, /preset must be a whole number from 1 to 255/],
    [{ kind: 'cruise', action: 'speed', group: 1, value: 4096 }, /value/],
  ])('refuses %j', (command, message) => {
    expect(() => encodePtz(command)).toThrow(message);
  });
});
