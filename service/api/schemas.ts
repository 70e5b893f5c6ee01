import { z } from 'zod';
import { CAMERA_KINDS } from '../config/camera-model.js';
import { ArchiveAnswer } from './archive-answer.js';

/** Shapes of the HTTP API. Times are Unix milliseconds. */

export const ErrorAnswer = z.object({ error: z.string(), message: z.string() });

export const PlateAnswer = z.discriminatedUnion('status', [
  z.object({ status: z.literal('read'), text: z.string(), colour: z.string(), confidence: z.number() }),
  z.object({ status: z.literal('none') }),
  z.object({ status: z.literal('unread') }),
]);

export const BerthAnswer = z.object({
  id: z.string(),
  number: z.string(),
  kind: z.string(),
  polygon: z.array(z.array(z.number())),
  /** `unknown` until the camera's first picture was analysed. */
  state: z.enum(['free', 'occupied', 'changing', 'unknown']),
  visit: z.object({ uid: z.string(), enteredAt: z.number(), plate: PlateAnswer }).nullable(),
});

export const CameraAnswer = z.object({
  id: z.string(),
  name: z.string(),
  deviceNumber: z.string(),
  roadSection: z.string(),
  direction: z.string(),
  lot: z.string(),
  width: z.number(),
  height: z.number(),
  kind: z.enum(CAMERA_KINDS),
  /** False: nothing is taken in from it, by the site. */
  enabled: z.boolean(),
  /** GB/T 28181 identities; null for an RTSP camera. */
  gb28181: z.object({ deviceId: z.string(), channelId: z.string() }).nullable(),
  streams: z.object({ record: z.string(), analyse: z.string() }),
  mountingHeightM: z.number().nullable(),
  location: z.object({ longitude: z.number(), latitude: z.number() }).nullable(),
  manufacturer: z.string().nullable(),
  model: z.string().nullable(),
  notes: z.string().nullable(),
  /** Time windows of analysis (Beijing time; none: always), and whether now is in one. */
  analysis: z.object({ windows: z.array(z.object({ days: z.array(z.string()), from: z.string(), to: z.string() })), open: z.boolean() }),
  online: z.boolean(),
  /** Since when the device is registered without a break; null while it is not, and for RTSP. */
  onlineSince: z.number().nullable(),
  stream: z.object({
    /** What comes in, over the last ten seconds. */
    bitsPerSecond: z.number().nullable(),
    state: z.enum(['none', 'waiting', 'inviting', 'streaming']),
    /** Why there is no stream, for people. */
    diagnosis: z.string().nullable(),
    /** Why it failed or ended last, kept when it runs again. */
    lastFailure: z.object({ at: z.number(), message: z.string() }).nullable(),
    codec: z.string().nullable(),
    transport: z.string().nullable(),
    lastUnitAt: z.number().nullable(),
    lostPackets: z.number(),
    strangers: z.number(),
  }),
  /** Captured time of the last analysed picture. */
  analysedTo: z.number().nullable(),
  berths: z.array(BerthAnswer),
});

export const VisitAnswer = z.object({
  uid: z.string(),
  cameraId: z.string(),
  berthId: z.string(),
  berthNumber: z.string(),
  roadSection: z.string(),
  lotCode: z.string(),
  plate: PlateAnswer,
  vehicleType: z.string(),
  bodyColour: z.string(),
  enteredAt: z.number(),
  leftAt: z.number().nullable(),
  presentAtStart: z.boolean(),
  confidence: z.number(),
  revision: z.number(),
  feeFen: z.number().nullable(),
  pictures: z.array(
    z.object({ id: z.string(), kind: z.string(), role: z.string(), takenAt: z.number(), bytes: z.number(), width: z.number(), height: z.number(), sha256: z.string() }),
  ),
  deliveries: z.array(
    z.object({ platform: z.string(), key: z.string(), kind: z.string(), state: z.string(), attempts: z.number(), deliveredAt: z.number().nullable(), lastOutcome: z.string().nullable() }),
  ),
});

export const ProblemAnswer = z.object({ part: z.string(), message: z.string(), since: z.number() });

export const StorageAnswer = z.object({
  /** filling: a warning · dropping: the oldest footage is deleted before its time · refusing: nothing is recorded */
  state: z.enum(['ok', 'filling', 'dropping', 'refusing', 'unknown']),
  disk: z.object({ totalBytes: z.number(), freeBytes: z.number(), reserveBytes: z.number() }).nullable(),
  quotaBytes: z.number().nullable(),
  bytes: z.number(),
  segments: z.number(),
  bytesPerDay: z.number().nullable(),
  /** At the present rates; null: not within a year, or not known yet. */
  daysLeft: z.number().nullable(),
  whenFull: z.enum(['refuse', 'drop-oldest']),
  dropped: z.object({ segments: z.number(), bytes: z.number(), lastAt: z.number().nullable() }),
  lastPass: z.object({ at: z.number(), tookMs: z.number(), segments: z.number(), bytes: z.number() }).nullable(),
});

/** The host's clock against time servers. */
export const ClockAnswer = z.object({
  state: z.enum(['off', 'unknown', 'ok', 'wrong']),
  /** To be added to our clock; null: nobody has answered. */
  offsetMs: z.number().nullable(),
  delayMs: z.number().nullable(),
  server: z.string().nullable(),
  stratum: z.number().nullable(),
  checkedAt: z.number().nullable(),
  servers: z.array(z.object({ server: z.string(), offsetMs: z.number().nullable(), delayMs: z.number().nullable(), error: z.string().nullable() })),
  /** When it was set while the service ran, and by how much. */
  steps: z.array(z.object({ at: z.number(), byMs: z.number() })),
  unconfirmedMs: z.number(),
});

export const StatusAnswer = z.object({
  version: z.string(),
  startedAt: z.number(),
  now: z.number(),
  problems: z.array(ProblemAnswer),
  platforms: z.array(z.object({ platform: z.string(), pending: z.number(), delivered: z.number(), refused: z.number(), oldestPendingAt: z.number().nullable() })),
  /** The disk of the footage; by camera: /api/storage. */
  storage: StorageAnswer,
  /** Its archive, and the check of what is stored. */
  archive: ArchiveAnswer,
  clock: ClockAnswer,
  counts: z.object({ visits: z.number(), openVisits: z.number(), pictures: z.number(), pendingEvidence: z.number() }),
});

export const HealthAnswer = z.object({ status: z.enum(['ok', 'degraded']), problems: z.array(ProblemAnswer) });

export type CameraView = z.output<typeof CameraAnswer>;
export type VisitView = z.output<typeof VisitAnswer>;
export type StatusView = z.output<typeof StatusAnswer>;
