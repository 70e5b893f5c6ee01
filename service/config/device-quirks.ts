import { z } from 'zod';
import type { DeviceSettings } from '../../ingest/gb28181/device-settings.js';
import { CHARSETS } from '../../ingest/gb28181/charset.js';

/** Where a GB/T 28181 device does not behave as its edition says; null: as usual. */
export const DeviceQuirksSchema = z.strictObject({
  /** Whether answers to its registrations carry our time; null: `gb28181.dateHeader`. */
  dateHeader: z.boolean().nullable().prefault(null),
  /** X-GB-Ver to believe in place of what it says: 2.0 is the edition of 2016, 3.0 that of 2022. */
  gbVersion: z
    .string()
    .regex(/^[123]\.\d$/, 'must be like "2.0" (2016) or "3.0" (2022)')
    .nullable()
    .prefault(null),
  /** Encoding of texts for it. */
  charset: z.enum(CHARSETS).nullable().prefault(null),
  /** The element that asks for a key frame. */
  keyFrameCommand: z.enum(['IFameCmd', 'IFrameCmd']).nullable().prefault(null),
});

export type DeviceQuirks = z.output<typeof DeviceQuirksSchema>;

/** A camera of the site, as far as it matters here. */
interface CameraWithQuirks {
  gb28181: { deviceId: string; quirks?: DeviceQuirks | undefined } | null;
}

/** The settings of a device: of each the first that one of its cameras has. */
export function deviceSettings(cameras: readonly CameraWithQuirks[], deviceId: string): DeviceSettings {
  const mine = cameras.flatMap(({ gb28181 }) => (gb28181?.deviceId === deviceId && gb28181.quirks ? [gb28181.quirks] : []));
  const first = <K extends keyof DeviceQuirks>(key: K): NonNullable<DeviceQuirks[K]> | undefined => mine.map((quirks) => quirks[key]).find((value) => value !== null) ?? undefined;
  return { dateHeader: first('dateHeader'), gbVersion: first('gbVersion'), charset: first('charset'), keyFrameCommand: first('keyFrameCommand') };
}
