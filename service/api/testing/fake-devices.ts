import { BerthwatchError } from '../../../base/errors.js';
import type { AlarmFilter } from '../../devices/alarm-store.js';
import type { DeviceSources } from '../device-routes.js';
import type { DeviceView } from '../device-schemas.js';

export const DEVICE_ID = '34020000001320000001';
export const CHANNEL_ID = '34020000001310000001';

export const DEVICE_VIEW: DeviceView = {
  id: DEVICE_ID, online: true, transport: 'UDP', source: { host: '::1', port: 5060 }, registeredAt: 1, expiresAt: 2, lastKeepaliveAt: 3, lastSeenAt: 4, gbVersion: '3.0', edition: '2022', userAgent: 'cam',
  info: null, heartbeat: { intervalMs: 60_000, missed: 3 }, clockOffsetMs: -5, cameras: ['c1'], channelCount: 0, channels: [], catalogComplete: true, subscriptions: [], problems: [],
};

/** FOR TESTS: device routes that answer at once and note what they were asked; `fails` is thrown by every question and command. */
export function fakeDevices(asked: unknown[][] = [], fails: BerthwatchError | null = null): DeviceSources {
  const answer = <T>(value: T, ...question: unknown[]): Promise<T> => {
    asked.push(question);
    return fails ? Promise.reject(fails) : Promise.resolve(value);
  };
  return {
    devices: () => [DEVICE_VIEW],
    device: (id) => {
      if (id !== DEVICE_ID) throw new BerthwatchError('not-found', 'GB_NOT_REGISTERED', `device ${id} has never registered here`);
      return DEVICE_VIEW;
    },
    services: {
      catalog: (...question) => answer({ items: [], total: 3, complete: false }, 'catalog', ...question),
      condition: (...question) => answer({ online: true, healthy: true, reason: null, encoding: true, recording: false, deviceTime: 7, alarms: [{ id: 'a', duty: 'alarm' as const }] }, 'condition', ...question),
      records: (...question) =>
        answer(
          { items: [{ channelId: CHANNEL_ID, name: '录像', filePath: '/1', address: null, startsAt: 1, endsAt: 2, secret: false, type: 'time', recorderId: null, bytes: 9, location: null, streamNumber: null }], total: 1, complete: true },
          'records', ...question,
        ),
      presets: (...question) => answer({ items: [{ number: 1, name: '路口' }], total: 1, complete: true }, 'presets', ...question),
      position: (...question) => answer(null, 'position', ...question),
      config: (...question) => answer({ basic: null, items: { OSDConfig: { Item: ['a', 'b'] } }, complete: true }, 'config', ...question),
      configure: (...question) => answer('confirmed' as const, 'configure', ...question),
      control: (...question) => answer(undefined, 'control', ...question),
    },
    alarms: (filter: AlarmFilter) =>
      answer(
        [{ id: 5, deviceId: DEVICE_ID, sourceId: CHANNEL_ID, cameras: ['c1'], priority: 1, method: 5, type: 2, eventType: null, words: 'video alarm: motion', at: 1, receivedAt: 2, description: null, longitude: null, latitude: null, resetAt: null }],
        'alarms', filter,
      ),
    resetAlarms: (...question) => answer(2, 'resetAlarms', ...question),
    picture: (...question) => answer({ jpeg: Uint8Array.of(0xff, 0xd8), source: 'stream' as const, capturedAt: 8, fallbackReason: 'it speaks 2016 版' }, 'picture', ...question),
  };
}
