import { isAbsolute, resolve, dirname } from 'node:path';
import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';
import { PlaybackConfigSchema } from '../playback/config.js';
import { duration, gbId, port, portRange, size, timeServer } from './value-types.js';
import { MEDIA_MODES } from '../../ingest/media/media-transport.js';
import { ArchiveSchema, checkObjects, LocalFootageSchema, ObjectsSchema, withEnvironment } from './objects.js';
import { readYaml } from './read-yaml.js';

const Platform = z.strictObject({
  kind: z.literal('qingdao'),
  /** Name of this connection, in logs, tables and on the page. */
  id: z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and "-", at most 32'),
  baseUrl: z.url({ protocol: /^https?$/ }),
  accessId: z.string().min(1).max(64),
  /** Files with the platform's public key and our private key (PEM, or base64 DER). */
  platformPublicKeyFile: z.string(),
  userPrivateKeyFile: z.string(),
  timeout: duration.prefault('10s'),
  heartbeat: duration.prefault('5m'),
  /** A.3.1: failed records are sent again each minute. */
  retry: duration.prefault('1m'),
});

/** The service's YAML file. Unknown keys are refused, every value has its default here. */
export const ConfigSchema = z.strictObject({
  /** Everything the service writes: footage, objects, embedded database. Relative to the configuration file. */
  dataFolder: z.string().prefault('./data'),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).prefault('info') }).prefault({}),
  http: z
    .strictObject({
      host: z.string().prefault('127.0.0.1'),
      port: port.prefault(8080),
      /** Needed for every call that changes something, and for all calls when `host` is not loopback. Environment: BERTHWATCH_TOKEN. */
      token: z.string().min(16, 'must have at least 16 characters').nullable().prefault(null),
    })
    .prefault({}),
  database: z
    .strictObject({
      /** postgres://…; null starts the embedded server in the data folder. Environment: DATABASE_URL. */
      url: z.string().nullable().prefault(null),
    })
    .prefault({}),
  gb28181: z
    .strictObject({
      serverId: gbId.prefault('37020000002000000001'),
      domain: z.string().min(1).prefault('3702000000'),
      host: z.string().prefault('127.0.0.1'),
      port: port.prefault(5060),
      /** Address that cameras are told for signalling and media; null: `host`. Must be set when `host` is 0.0.0.0 or ::. */
      advertisedHost: z.string().nullable().prefault(null),
      /** Password of devices that the site gives no own one. Null: such devices are refused. */
      defaultPassword: z.string().min(1).nullable().prefault(null),
      /** Devices that the site does not know: refused, or let in with the default password so that their channels can be listed. */
      unknownDevices: z.enum(['refuse', 'accept']).prefault('refuse'),
      keepalive: z.strictObject({ interval: duration.prefault('60s'), missed: z.int().min(1).max(20).prefault(3) }).prefault({}),
      /** What devices are subscribed to when they register. */
      subscribe: z
        .strictObject({ catalog: z.boolean().prefault(true), alarm: z.boolean().prefault(true), mobilePosition: z.boolean().prefault(false), expires: duration.prefault('10m') })
        .prefault({}),
      /** Pictures that devices of the 2022 edition take and upload when asked. Port: TCP at `host`, 0 for any free one; null: none are received. */
      snapshot: z.strictObject({ port: port.nullable().prefault(0), timeout: duration.prefault('10s') }).prefault({}),
      /** How long alarms of devices are kept. */
      alarmRetention: duration.prefault('90d'),
      /** A camera whose key frames are further apart is asked for them; null: never. */
      keyFrameAfter: duration.nullable().prefault('4s'),
      dateHeader: z.boolean().prefault(true),
      mediaPorts: portRange.prefault('30000-30499'),
      /** A port for each stream, or one for all of them, told apart by SSRC; cameras may differ. */
      mediaMode: z.enum(MEDIA_MODES).prefault('port-per-stream'),
      /** UDP and TCP, and the one above for RTCP; opened when a camera uses it. */
      sharedMediaPort: port.prefault(30500),
      /** No packet after an accepted INVITE: the session is ended and diagnosed. */
      firstPacketTimeout: duration.prefault('10s'),
      /** No packet on a running stream: the session is ended and invited again. */
      silenceTimeout: duration.prefault('10s'),
      /** Waits between attempts to get a stream: doubled from the first to the second. */
      retry: z.strictObject({ first: duration.prefault('2s'), longest: duration.prefault('1m') }).prefault({}),
    })
    .prefault({}),
  /** What cameras recorded by themselves (GB/T 28181). */
  deviceFootage: z
    .strictObject({
      /** Fetched at once, over all devices; one at a time from each. */
      downloads: z.int().min(1).max(64).prefault(2),
      /** Times normal speed that downloads are asked for; devices may send slower. */
      speed: z.number().min(1).max(64).prefault(4),
      /** Playbacks at once, each a stream of its own. */
      playbacks: z.int().min(1).max(64).prefault(4),
      /** A playback that nobody reads is ended. */
      unwatched: duration.prefault('30s'),
      /** Waits after a failed download: doubled from the first to the second. */
      retry: z.strictObject({ first: duration.prefault('30s'), longest: duration.prefault('10m') }).prefault({}),
    })
    .prefault({}),
  rtsp: z
    .strictObject({
      /** How long an RTSP camera may take to answer, and be silent while it streams. */
      timeout: duration.prefault('10s'),
      retry: z.strictObject({ first: duration.prefault('2s'), longest: duration.prefault('1m') }).prefault({}),
    })
    .prefault({}),
  footage: z
    .strictObject({
      segment: duration.prefault('60s'),
      retention: duration.prefault('30d'),
      /** Without it nothing is kept for less than 30 days, whatever `retention` says here or in the site. */
      allowShorterRetention: z.boolean().prefault(false),
      /** Of the stream that is recorded beside the analysed one; null: as long as that. */
      secondStreamRetention: duration.nullable().prefault(null),
      /** Most bytes on the disk: of all cameras, and of each that has none in the site; null: what the disk has. */
      quota: size.nullable().prefault(null),
      cameraQuota: size.nullable().prefault(null),
      local: LocalFootageSchema.prefault({}),
      archive: ArchiveSchema.prefault({}),
      /** What to do when disk or quota is full: stop recording, or delete the oldest footage that nobody holds. */
      whenFull: z.enum(['refuse', 'drop-oldest']).prefault('refuse'),
      disk: z
        .strictObject({
          /** Free bytes below which the disk counts as full, so that the database on it goes on; at most a twentieth of the disk. */
          reserve: size.prefault('1G'),
          /** When to warn: fewer free bytes (at most a tenth of the disk), or fewer days left at the present rate. */
          warnFree: size.prefault('5G'),
          warnDays: z.number().min(0).max(365).prefault(3),
        })
        .prefault({}),
    })
    .prefault({}),
  objects: ObjectsSchema.prefault({}),
  time: z
    .strictObject({
      /** Servers that the host's clock is compared with; null: public ones in China; []: nobody is asked. */
      ntp: z.array(timeServer).max(16).nullable().prefault(null),
      every: duration.prefault('15m'),
      /** Beyond this offset there is an alarm. */
      alarm: duration.prefault('1s'),
    })
    .prefault({}),
  playback: PlaybackConfigSchema,
  vision: z
    .strictObject({
      /** models/manifest.json of the program unless given. */
      manifest: z.string().nullable().prefault(null),
      children: z.int().min(1).max(64).prefault(1),
      threads: z.int().min(1).max(64).prefault(1),
      memoryLimit: size.prefault('2G'),
      /** Pictures a second looked at inside a GOP in which something changed. */
      detailFps: z.number().min(0.5).max(25).prefault(5),
    })
    .prefault({}),
  platforms: z.array(Platform).prefault([]),
});

export type Config = z.output<typeof ConfigSchema> & {
  /** Folder that relative paths start from. */
  baseFolder: string;
};
/** What the standards ask for: shorter only where somebody says so. */
export const LEAST_RETENTION_MS = 30 * 86_400_000;

export type PlatformConfig = z.output<typeof Platform>;

/**
 * Reads the configuration and lays the environment over it (`DATABASE_URL`, `BERTHWATCH_TOKEN`, `S3_…`).
 * @throws BerthwatchError bad-input listing every problem with file and line
 */
export function readConfig(file: string, environment: NodeJS.ProcessEnv = process.env): Config {
  return finishConfig(readYaml(file, ConfigSchema), dirname(resolve(file)), environment);
}

/** Defaults, environment and checks that span keys. `values` is what a YAML file would hold. */
export function finishConfig(values: z.output<typeof ConfigSchema>, baseFolder: string, environment: NodeJS.ProcessEnv): Config {
  const config: Config = { ...values, baseFolder };
  config.dataFolder = inFolder(baseFolder, config.dataFolder);
  if (environment.DATABASE_URL) config.database = { url: environment.DATABASE_URL };
  config.objects = withEnvironment(config.objects, environment);
  checkObjects(config.objects, config.footage.local, config.footage.archive);
  if (environment.BERTHWATCH_TOKEN) config.http = { ...config.http, token: environment.BERTHWATCH_TOKEN };
  if (!isLoopback(config.http.host) && config.http.token === null) {
    throw new BerthwatchError('bad-input', 'CONFIG_TOKEN', `http.host is ${config.http.host}, which others can reach: set http.token or BERTHWATCH_TOKEN (16 characters or more)`);
  }
  if (config.footage.retention < LEAST_RETENTION_MS && !config.footage.allowShorterRetention) {
    throw new BerthwatchError('bad-input', 'CONFIG_RETENTION', 'footage.retention is less than 30 days: make it longer, or set footage.allowShorterRetention to true if that is meant');
  }
  const ids = config.platforms.map((platform) => platform.id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw new BerthwatchError('bad-input', 'CONFIG_PLATFORM', `platforms: the id "${twice}" is given twice`);
  if (['0.0.0.0', '::'].includes(config.gb28181.host) && config.gb28181.advertisedHost === null) {
    throw new BerthwatchError('bad-input', 'CONFIG_ADVERTISED', `gb28181.host is ${config.gb28181.host}: set gb28181.advertisedHost to the address that cameras can reach`);
  }
  return config;
}

export function inFolder(folder: string, path: string): string {
  return isAbsolute(path) ? path : resolve(folder, path);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
