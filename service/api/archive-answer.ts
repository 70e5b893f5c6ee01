import { z } from 'zod';

const segment = { cameraId: z.string(), segment: z.number() };

export const ArchiveAnswer = z.object({
  archive: z
    .object({
      state: z.enum(['ok', 'failing']),
      /** What is wrong and what to do. */
      reason: z.string().nullable(),
      since: z.number(),
      nextTryAt: z.number().nullable(),
      place: z.string(),
      backlog: z.object({ segments: z.number(), bytes: z.number(), oldestAt: z.number().nullable(), remainingMs: z.number().nullable() }),
      uploading: z.array(z.object({ ...segment, bytes: z.number(), sent: z.number() })),
      /** Since the start. */
      uploaded: z.object({ segments: z.number(), bytes: z.number() }),
      bytesPerSecond: z.number(),
      blocked: z.object({ segments: z.number(), first: z.object({ ...segment, error: z.string() }).nullable() }),
      trouble: z.string().nullable(),
      waitingRemovals: z.number(),
      unconfirmed: z.number(),
    })
    .nullable(),
  check: z.object({ segments: z.number(), bytes: z.number(), beganAt: z.number().nullable(), lastRoundAt: z.number().nullable(), findings: z.number(), newest: z.string().nullable() }).nullable(),
});
