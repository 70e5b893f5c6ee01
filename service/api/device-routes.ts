import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';
import type { ControlCommand } from '../../ingest/gb28181/controls.js';
import type { DeviceServices } from '../../ingest/gb28181/device-services.js';
import { CONFIG_TYPES, type ConfigType } from '../../ingest/gb28181/device-config.js';
import type { AlarmFilter } from '../devices/alarm-store.js';
import type { ChannelPicture } from '../devices/snapshots.js';
import {
  AlarmAnswer, AlarmsQuery, CatalogAnswer, ChannelParams, ConditionAnswer, ConfigAnswer, ConfigBody, ConfiguredAnswer, DeviceAnswer, DeviceListAnswer, DeviceParams, DoneAnswer, DragZoomBody, HomeBody,
  PositionAnswer, PresetBody, PresetsAnswer, PtzBody, RecordBody, RecordingsAnswer, RecordingsQuery, ResetAnswer, ResetBody, SwitchBody, type AlarmView, type DeviceView,
} from './device-schemas.js';
import type { App } from './routes.js';
import { ErrorAnswer } from './schemas.js';

/** Where the device routes take their answers from. */
export interface DeviceSources {
  devices(): DeviceView[];
  /** @throws BerthwatchError not-found for a device that neither registered nor is in the site */
  device(deviceId: string): DeviceView;
  services: Pick<DeviceServices, 'catalog' | 'condition' | 'records' | 'presets' | 'position' | 'config' | 'configure' | 'control'>;
  alarms(filter: AlarmFilter): Promise<AlarmView[]>;
  /** Resets alarms at the device. @returns how many of the kept ones that concerns */
  resetAlarms(deviceId: string, what: { channel?: string | undefined; method?: number | undefined; type?: number | undefined }): Promise<number>;
  picture(deviceId: string, channelId: string): Promise<ChannelPicture>;
}

const errors = { 400: ErrorAnswer, 401: ErrorAnswer, 404: ErrorAnswer, 409: ErrorAnswer, 503: ErrorAnswer };
const ERRORS_IN_WORDS = '404: never registered; 409: the device says that it cannot; 503: offline, or no answer in time.';
const Jpeg = { description: 'JPEG', content: { 'image/jpeg': { schema: z.any() } } };

/** GB/T 28181 devices over HTTP: what they are, what they can be asked, and what they can be told (which needs the token). */
export function addDeviceRoutes(app: App, sources: DeviceSources): void {
  addQuestions(app, sources);
  addCommands(app, sources);
  addAlarms(app, sources);

  app.post(
    '/api/devices/:id/channels/:channel/snapshot',
    {
      schema: {
        tags: ['devices'],
        description: `A picture of now. \`x-snapshot-source\` says which way it came: \`device\` (taken and uploaded by a camera of the 2022 edition) or \`stream\` (the newest key frame; then \`x-snapshot-fallback-reason\` says why). ${ERRORS_IN_WORDS}`,
        params: ChannelParams,
        response: { 200: Jpeg, ...errors },
      },
    },
    async ({ params }, reply) => {
      const picture = await sources.picture(params.id, params.channel);
      void reply.type('image/jpeg').header('cache-control', 'no-store').header('x-snapshot-source', picture.source);
      if (picture.capturedAt !== null) void reply.header('x-snapshot-captured-at', String(picture.capturedAt));
      // Header values are ASCII; what a device wrote may be anything.
      if (picture.fallbackReason !== null) void reply.header('x-snapshot-fallback-reason', picture.fallbackReason.replace(/[^ -~]+/g, '?').slice(0, 500));
      return reply.send(Buffer.from(picture.jpeg));
    },
  );
}

function addQuestions(app: App, sources: DeviceSources): void {
  const { services } = sources;
  const schema = { tags: ['devices'], params: DeviceParams };
  const ofChannel = { tags: ['devices'], params: ChannelParams };

  app.get('/api/devices', { schema: { tags: ['devices'], description: 'GB/T 28181 devices: all that registered since the start, and those of the site that did not', response: { 200: DeviceListAnswer } } }, async () => sources.devices());

  app.get('/api/devices/:id', { schema: { ...schema, response: { 200: DeviceAnswer, 404: ErrorAnswer } } }, async ({ params }) => sources.device(params.id));

  app.get('/api/devices/:id/status', { schema: { ...schema, description: `Asks the device for its own state (DeviceStatus). ${ERRORS_IN_WORDS}`, response: { 200: ConditionAnswer, ...errors } } }, async ({ params }) => {
    const condition = await services.condition(params.id);
    return { ...condition, alarms: [...condition.alarms] };
  });

  app.post('/api/devices/:id/catalog', { schema: { ...schema, description: `Asks the device for its channels anew. ${ERRORS_IN_WORDS}`, response: { 200: CatalogAnswer, ...errors } } }, async ({ params }) => {
    const { items, total, complete } = await services.catalog(params.id);
    return { channels: items.length, announced: total, complete };
  });

  app.get('/api/devices/:id/position', { schema: { ...schema, description: `Asks a device where it is (MobilePosition). ${ERRORS_IN_WORDS}`, response: { 200: PositionAnswer, ...errors } } }, async ({ params }) => services.position(params.id));

  app.get(
    '/api/devices/:id/channels/:channel/recordings',
    { schema: { ...ofChannel, description: `Recordings at the device (RecordInfo) that overlap a period. ${ERRORS_IN_WORDS}`, querystring: RecordingsQuery, response: { 200: RecordingsAnswer, ...errors } } },
    async ({ params, query }) => {
      const { items, total, complete } = await services.records(params.id, { channelId: params.channel, from: query.from, to: query.to, type: query.type, ...(query.stream === undefined ? {} : { streamNumber: query.stream }) });
      return { items: [...items], announced: total, complete };
    },
  );

  app.get('/api/devices/:id/channels/:channel/presets', { schema: { ...ofChannel, description: `Preset positions (PresetQuery). ${ERRORS_IN_WORDS}`, response: { 200: PresetsAnswer, ...errors } } }, async ({ params }) => {
    const { items, complete } = await services.presets(params.id, params.channel);
    return { items: [...items], complete };
  });

  app.get(
    '/api/devices/:id/config',
    {
      schema: {
        ...schema,
        description: `Asks a device for its configuration (ConfigDownload). ${ERRORS_IN_WORDS}`,
        querystring: z.object({ types: z.string().max(300).default('BasicParam').describe(`Joined by commas: ${CONFIG_TYPES.join(', ')}; or "all" for what its edition knows`) }),
        response: { 200: ConfigAnswer, ...errors },
      },
    },
    async ({ params, query }) => {
      const { basic, items, complete } = await services.config(params.id, configTypes(query.types));
      return { basic, items: { ...items }, complete };
    },
  );

  app.put('/api/devices/:id/config', { schema: { ...schema, description: `Sets basic parameters (DeviceConfig). \`re-registered\`: the device registered anew instead of answering, as some do. ${ERRORS_IN_WORDS}`, body: ConfigBody, response: { 200: ConfiguredAnswer, ...errors } } }, async ({ params, body }) => ({
    outcome: await services.configure(params.id, body),
  }));
}

function configTypes(text: string): ConfigType[] | undefined {
  if (text === 'all') return undefined;
  return text.split(',').map((name) => {
    const type = CONFIG_TYPES.find((known) => known.toLowerCase() === name.trim().toLowerCase());
    if (!type) throw new BerthwatchError('bad-input', 'API_CONFIG_TYPE', `"${name.slice(0, 40)}" is not a kind of configuration: give ${CONFIG_TYPES.join(', ')}, or all`);
    return type;
  });
}

function addCommands(app: App, sources: DeviceSources): void {
  const { services } = sources;
  const tell = async (deviceId: string, channelId: string, command: ControlCommand, stopAfterMs?: number): Promise<{ done: true }> => {
    await services.control(deviceId, channelId, command, ...(stopAfterMs === undefined ? [] : [stopAfterMs]));
    return { done: true };
  };
  const describe = (what: string): { tags: string[]; description: string; response: typeof errors & { 200: typeof DoneAnswer } } => ({ tags: ['devices'], description: `${what} ${ERRORS_IN_WORDS}`, response: { 200: DoneAnswer, ...errors } });
  const channel = '/api/devices/:id/channels/:channel';

  app.post('/api/devices/:id/reboot', { schema: { ...describe('Restarts the device (TeleBoot).'), params: DeviceParams } }, ({ params }) => tell(params.id, params.id, { kind: 'reboot' }));
  app.post('/api/devices/:id/guard', { schema: { ...describe('Arms or disarms the device (GuardCmd).'), params: DeviceParams, body: SwitchBody } }, ({ params, body }) => tell(params.id, params.id, { kind: 'guard', on: body.on }));
  app.post(`${channel}/ptz`, { schema: { ...describe('Moves the camera, its lens, cruises, scans and switches (PTZCmd). A movement goes on until stop, or for `forMs`.'), params: ChannelParams, body: PtzBody } }, ({ params, body }) => {
    const { forMs, ...ptz } = 'forMs' in body ? body : { ...body, forMs: undefined };
    return tell(params.id, params.channel, { kind: 'ptz', ptz }, forMs);
  });
  app.post(`${channel}/preset`, { schema: { ...describe('Sets, calls or deletes a preset position. The name reaches devices of the 2022 edition.'), params: ChannelParams, body: PresetBody } }, ({ params, body }) =>
    tell(params.id, params.channel, { kind: 'ptz', ptz: { kind: 'preset', action: body.action, preset: body.preset }, presetName: body.name }),
  );
  app.post(`${channel}/home`, { schema: { ...describe('The position to which a camera returns by itself (HomePosition).'), params: ChannelParams, body: HomeBody } }, ({ params, body }) => tell(params.id, params.channel, { kind: 'home', ...body }));
  app.post(`${channel}/record`, { schema: { ...describe("Starts or stops the device's own recording (RecordCmd)."), params: ChannelParams, body: RecordBody } }, ({ params, body }) => tell(params.id, params.channel, { kind: 'record', ...body }));
  app.post(`${channel}/key-frame`, { schema: { ...describe('Asks for a key frame (IFameCmd, for 2022 IFrameCmd).'), params: ChannelParams } }, ({ params }) => tell(params.id, params.channel, { kind: 'key-frame' }));
  app.post(`${channel}/drag-zoom`, { schema: { ...describe('Zooms to a rectangle that was dragged over a displayed picture; all in pixels of the display.'), params: ChannelParams, body: DragZoomBody } }, ({ params, body: { direction, ...box } }) =>
    tell(params.id, params.channel, { kind: 'drag-zoom', direction, box }),
  );
}

function addAlarms(app: App, sources: DeviceSources): void {
  app.get('/api/alarms', { schema: { tags: ['devices'], description: 'Alarms of devices, newest first; `before` is the id of the last one of the page before', querystring: AlarmsQuery, response: { 200: z.array(AlarmAnswer) } } }, ({ query }) =>
    sources.alarms({ deviceId: query.device ?? null, sourceId: query.source ?? null, before: query.before ?? null, open: query.open === 'true', limit: query.limit }),
  );

  app.post(
    '/api/devices/:id/alarms/reset',
    { schema: { tags: ['devices'], description: `Resets alarms at the device (AlarmCmd), without which some devices report none again. ${ERRORS_IN_WORDS}`, params: DeviceParams, body: ResetBody, response: { 200: ResetAnswer, ...errors } } },
    async ({ params, body }) => ({ reset: await sources.resetAlarms(params.id, body) }),
  );
}
