import { z } from 'zod';
import { RECORD_TYPES } from '../../ingest/gb28181/record-info.js';
import { SUBSCRIPTION_KINDS } from '../../ingest/gb28181/subscription-kind.js';

/** Shapes of the device routes. Times are Unix milliseconds. */

const gbId = z.string().regex(/^\d{20}$/, 'must be 20 digits');
export const DeviceParams = z.object({ id: gbId });
export const ChannelParams = z.object({ id: gbId, channel: gbId });

const DeviceInfoAnswer = z.object({
  name: z.string().nullable(),
  manufacturer: z.string().nullable(),
  model: z.string().nullable(),
  firmware: z.string().nullable(),
  channels: z.number().nullable(),
});

export const DeviceAnswer = z.object({
  id: z.string(),
  online: z.boolean(),
  transport: z.enum(['UDP', 'TCP']).nullable(),
  /** Source of its last authenticated packet. */
  source: z.object({ host: z.string(), port: z.number() }).nullable(),
  registeredAt: z.number().nullable(),
  expiresAt: z.number().nullable(),
  lastKeepaliveAt: z.number().nullable(),
  lastSeenAt: z.number().nullable(),
  /** X-GB-Ver as the device says, and the edition it is taken for. */
  gbVersion: z.string().nullable(),
  edition: z.enum(['2011', '2016', '2022']).nullable(),
  userAgent: z.string().nullable(),
  info: DeviceInfoAnswer.nullable(),
  /** What its own configuration says of keepalives. */
  heartbeat: z.object({ intervalMs: z.number(), missed: z.number() }).nullable(),
  /** Its clock less ours. */
  clockOffsetMs: z.number().nullable(),
  /** Cameras of the site behind it. */
  cameras: z.array(z.string()),
  channelCount: z.number(),
  channels: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      online: z.boolean().nullable(),
      manufacturer: z.string().nullable(),
      model: z.string().nullable(),
      ptzType: z.number().nullable(),
      longitude: z.number().nullable(),
      latitude: z.number().nullable(),
      cameraId: z.string().nullable(),
    }),
  ),
  catalogComplete: z.boolean().nullable(),
  subscriptions: z.array(
    z.object({ kind: z.enum(SUBSCRIPTION_KINDS), state: z.enum(['pending', 'active', 'refused', 'failed', 'ended']), expiresAt: z.number().nullable(), lastNotifyAt: z.number().nullable(), reason: z.string().nullable() }),
  ),
  /** What is wrong, for people. */
  problems: z.array(z.string()),
});
export type DeviceView = z.output<typeof DeviceAnswer>;

/** In lists the channels are only counted: a recorder may have thousands. */
export const DeviceListAnswer = z.array(DeviceAnswer.omit({ channels: true }));

export const CatalogAnswer = z.object({ channels: z.number(), announced: z.number(), complete: z.boolean() });

export const ConditionAnswer = z.object({
  online: z.boolean().nullable(),
  healthy: z.boolean().nullable(),
  reason: z.string().nullable(),
  encoding: z.boolean().nullable(),
  recording: z.boolean().nullable(),
  deviceTime: z.number().nullable(),
  alarms: z.array(z.object({ id: z.string(), duty: z.enum(['onduty', 'offduty', 'alarm']).nullable() })),
});

export const RecordingsQuery = z.object({
  from: z.coerce.number().int(),
  to: z.coerce.number().int(),
  type: z.enum(RECORD_TYPES).default('all'),
  /** 2022 edition: 0 main stream, 1 sub stream. */
  stream: z.coerce.number().int().min(0).max(255).optional(),
});

export const RecordingsAnswer = z.object({
  /** False: some were lost on the way; ask again for a shorter period. */
  complete: z.boolean(),
  announced: z.number(),
  items: z.array(
    z.object({
      channelId: z.string(),
      name: z.string().nullable(),
      filePath: z.string().nullable(),
      address: z.string().nullable(),
      startsAt: z.number(),
      endsAt: z.number(),
      secret: z.boolean(),
      type: z.string().nullable(),
      recorderId: z.string().nullable(),
      bytes: z.number().nullable(),
      location: z.string().nullable(),
      streamNumber: z.number().nullable(),
    }),
  ),
});

export const PresetsAnswer = z.object({ complete: z.boolean(), items: z.array(z.object({ number: z.number(), name: z.string().nullable() })) });
export const PositionAnswer = z.object({ at: z.number().nullable(), longitude: z.number(), latitude: z.number(), speed: z.number().nullable(), direction: z.number().nullable(), altitude: z.number().nullable() }).nullable();

const byte = z.int().min(0).max(255);
const group = byte.describe('Number of the cruise or scan');
const forMs = z.int().min(100).max(60_000).optional().describe('Milliseconds after which the movement is ended, unless another command comes first');
const twelveBits = z.int().min(1).max(4095);
const preset = z.int().min(1).max(255);

/** PTZCmd of annex A.3. */
export const PtzBody = z.union([
  z.strictObject({
    kind: z.literal('move'),
    pan: z.enum(['left', 'right']).optional(),
    tilt: z.enum(['up', 'down']).optional(),
    zoom: z.enum(['in', 'out']).optional(),
    panSpeed: byte.optional(),
    tiltSpeed: byte.optional(),
    zoomSpeed: z.int().min(0).max(15).optional(),
    forMs,
  }),
  z.strictObject({ kind: z.literal('lens'), focus: z.enum(['far', 'near']).optional(), iris: z.enum(['open', 'close']).optional(), focusSpeed: byte.optional(), irisSpeed: byte.optional(), forMs }),
  z.strictObject({ kind: z.literal('stop') }),
  z.strictObject({ kind: z.literal('cruise'), action: z.enum(['add-preset', 'delete-preset']), group, preset }),
  z.strictObject({ kind: z.literal('cruise'), action: z.enum(['delete', 'start']), group }),
  z.strictObject({ kind: z.literal('cruise'), action: z.enum(['speed', 'dwell']), group, value: twelveBits }),
  z.strictObject({ kind: z.literal('scan'), action: z.enum(['start', 'set-left', 'set-right']), group }),
  z.strictObject({ kind: z.literal('scan'), action: z.literal('speed'), group, value: twelveBits }),
  z.strictObject({ kind: z.literal('aux'), on: z.boolean(), number: byte.describe('1 is the wiper') }),
]);

export const PresetBody = z.strictObject({ action: z.enum(['set', 'call', 'delete']), preset, name: z.string().min(1).max(64).optional() });
export const HomeBody = z.strictObject({ enabled: z.boolean(), preset: byte.optional(), resetTimeS: z.int().min(1).max(86_400).optional() });
export const SwitchBody = z.strictObject({ on: z.boolean() });
export const RecordBody = z.strictObject({ on: z.boolean(), streamNumber: byte.optional() });
export const DragZoomBody = z.strictObject({
  direction: z.enum(['in', 'out']),
  displayWidth: z.int().min(1).max(65_535),
  displayHeight: z.int().min(1).max(65_535),
  centreX: z.int().min(0),
  centreY: z.int().min(0),
  width: z.int().min(1),
  height: z.int().min(1),
});
export const ResetBody = z.strictObject({ channel: gbId.optional(), method: z.int().min(1).max(7).optional(), type: z.int().min(1).max(255).optional() });
export const ResetAnswer = z.object({ reset: z.number() });
export const DoneAnswer = z.object({ done: z.literal(true) });

export const ConfigBody = z.strictObject({
  name: z.string().min(1).max(128).optional(),
  expirationS: z.int().min(3600).max(100_000).optional(),
  heartBeatIntervalS: z.int().min(5).max(255).optional(),
  heartBeatCount: z.int().min(3).max(255).optional(),
});
export const ConfigAnswer = z.object({
  basic: z
    .object({ name: z.string().nullable(), expirationS: z.number().nullable(), heartBeatIntervalS: z.number().nullable(), heartBeatCount: z.number().nullable(), longitude: z.number().nullable(), latitude: z.number().nullable() })
    .nullable(),
  /** Every part that the device gave, by its name in the standard. */
  items: z.record(z.string(), z.unknown()),
  complete: z.boolean(),
});
export const ConfiguredAnswer = z.object({ outcome: z.enum(['confirmed', 're-registered']) });

export const AlarmsQuery = z.object({
  device: gbId.optional(),
  source: z.string().max(64).optional(),
  before: z.coerce.number().int().min(1).optional(),
  open: z.enum(['true', 'false']).default('false'),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export const AlarmAnswer = z.object({
  id: z.number(),
  deviceId: z.string(),
  sourceId: z.string(),
  /** Cameras of the site that it is about. */
  cameras: z.array(z.string()),
  priority: z.number().nullable(),
  method: z.number().nullable(),
  type: z.number().nullable(),
  eventType: z.number().nullable(),
  words: z.string(),
  at: z.number().nullable(),
  receivedAt: z.number(),
  description: z.string().nullable(),
  longitude: z.number().nullable(),
  latitude: z.number().nullable(),
  resetAt: z.number().nullable(),
});
export type AlarmView = z.output<typeof AlarmAnswer>;
