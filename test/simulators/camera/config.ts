import { z } from 'zod';
import { misbehaviourSchema } from './misbehaviour.js';

const gbId = z.string().regex(/^\d{20}$/, 'a GB/T 28181 id has 20 digits');

const channelSchema = z.strictObject({
  id: gbId,
  name: z.string().default('高位视频'),
  /** MP4 file with H.264 or H.265 and no B-frames. */
  clip: z.string(),
  /** Clip of the sub stream; without it the main clip answers both. */
  subClip: z.string().nullable().default(null),
  /** G.711 tone interleaved with the pictures. */
  audio: z.enum(['g711a', 'g711u']).nullable().default(null),
  longitude: z.number().nullable().default(120.3826),
  latitude: z.number().nullable().default(36.0671),
});

/** A recording that the device holds; times are Unix ms. */
const recordingSchema = z.strictObject({
  channelId: gbId,
  startsAt: z.number().int(),
  endsAt: z.number().int(),
  type: z.enum(['time', 'alarm', 'manual']).default('time'),
  filePath: z.string().default('/sd/record.ps'),
  bytes: z.number().int().default(1_048_576),
});

export const cameraConfigSchema = z.strictObject({
  /** The platform. */
  server: z.strictObject({
    id: gbId,
    /** SIP domain; the first ten digits of the id without it. */
    domain: z.string().nullable().default(null),
    host: z.string().default('127.0.0.1'),
    port: z.number().int().min(1).max(65535),
  }),
  device: z.strictObject({
    id: gbId,
    password: z.string(),
    /** Digest user name, where it is not the device id. */
    username: z.string().nullable().default(null),
    name: z.string().default('路侧高位视频'),
    manufacturer: z.string().default('Simulated'),
    model: z.string().default('SIM-1080'),
    firmware: z.string().default('V1.0.0'),
    /** X-GB-Ver: 2.0 is the edition of 2016, 3.0 that of 2022. */
    version: z.enum(['2.0', '3.0']).default('2.0'),
  }),
  channels: z.array(channelSchema).min(1),
  /** SIP over UDP or TCP. */
  signalling: z.enum(['udp', 'tcp']).default('udp'),
  /** Local UDP port for SIP; 0 takes any. */
  localPort: z.number().int().min(0).max(65535).default(0),
  registration: z
    .strictObject({
      expiresS: z.number().int().min(1).default(3600),
      keepaliveMs: z.number().int().min(50).default(60_000),
      /** Unanswered keepalives in a row after which the camera registers anew. */
      missedKeepalives: z.number().int().min(1).default(3),
      /** Pause between attempts to reach the platform: doubles from min to max. */
      backoffMinMs: z.number().int().min(10).default(1000),
      backoffMaxMs: z.number().int().min(10).default(15_000),
    })
    .prefault({}),
  sip: z
    .strictObject({
      t1Ms: z.number().int().min(10).default(500),
      timeoutMs: z.number().int().min(100).default(8000),
    })
    .prefault({}),
  playback: z
    .strictObject({
      speed: z.number().positive().default(1),
      loop: z.boolean().default(true),
      timeline: z.enum(['held', 'wall']).default('held'),
      atEnd: z.enum(['still', 'silence', 'bye']).default('still'),
      scenarioStart: z.number().nullable().default(null),
      rewindGops: z.number().int().min(0).default(0),
    })
    .prefault({}),
  catalog: z
    .strictObject({
      itemsPerMessage: z.number().int().min(1).default(4),
      /** Channels without pictures that are listed too, to make a long catalog. */
      extraChannels: z.number().int().min(0).max(100_000).default(0),
    })
    .prefault({}),
  /** What RecordInfo finds. */
  recordings: z
    .strictObject({
      list: z.array(recordingSchema).default([]),
      itemsPerMessage: z.number().int().min(1).default(2),
      /** How the end of a playback or download is told; a channel that `list` does not name has recorded without a pause. */
      end: z.enum(['media-status', 'bye', 'quiet']).default('media-status'),
      /** Fastest download, times normal speed. */
      maxSpeed: z.number().positive().default(16),
      /** Whether the answer to a download says how large it is. */
      fileSize: z.boolean().default(true),
    })
    .prefault({}),
  /** Preset positions that are there from the start. */
  presets: z.array(z.strictObject({ number: z.number().int().min(1).max(255), name: z.string() })).default([]),
  /** JPEG file that a 2022 device uploads as its snapshot. */
  snapshotFile: z.string().nullable().default(null),
  misbehaviour: misbehaviourSchema,
});

/** What a program or test writes: everything with a default may be left out. */
export type CameraConfigInput = z.input<typeof cameraConfigSchema>;
export type CameraConfig = z.output<typeof cameraConfigSchema>;
export type ChannelConfig = CameraConfig['channels'][number];

/** Checks and completes; throws an Error that names each wrong key. Unknown keys are refused. */
export function parseCameraConfig(input: unknown): CameraConfig {
  const parsed = cameraConfigSchema.safeParse(input);
  if (!parsed.success) {
    throw new Error(`camera configuration: ${parsed.error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`).join('; ')}`);
  }
  return parsed.data;
}
