import { z } from 'zod';
import { duration, size } from '../config/value-types.js';

/** Key `playback` of the configuration: recorded footage for people. */
export const PlaybackConfigSchema = z
  .strictObject({
    /** How long an address that works without the token is good for. */
    links: duration.prefault('1h'),
    /** H.265 as H.264, for browsers that know nothing else. */
    transcode: z
      .strictObject({
        /** Pieces of footage that are turned into H.264 at the same time; each keeps about one core busy. 0 turns it off. */
        children: z.int().min(0).max(32).prefault(1),
        /** Pieces that may wait for one of them. */
        waiting: z.int().min(0).max(200).prefault(12),
        /** Larger pictures are made smaller, pixels. */
        maxHeight: z.int().min(120).max(2_160).prefault(1_080),
        /** Bits a second. */
        maxBitrate: z.int().min(100_000).max(50_000_000).prefault(4_000_000),
        /** Finished pieces kept in memory. */
        cache: size.prefault('128M'),
        /** Of each child, and of each export with a watermark. */
        memoryLimit: size.prefault('1G'),
      })
      .prefault({}),
    exports: z
      .strictObject({
        /** Relative to the configuration file; null: `exports` in the data folder. */
        folder: z.string().nullable().prefault(null),
        /** Exports made at the same time. */
        concurrent: z.int().min(1).max(16).prefault(1),
        /** Exports that may wait. */
        waiting: z.int().min(0).max(1_000).prefault(50),
        /** Finished exports are deleted after this. */
        keep: duration.prefault('7d'),
        /** All finished exports together; above it new ones are refused. */
        quota: size.prefault('20G'),
        /** The longest time that one clip may show. */
        longest: duration.prefault('24h'),
      })
      .prefault({}),
  })
  .prefault({});

export type PlaybackConfig = z.output<typeof PlaybackConfigSchema>;
