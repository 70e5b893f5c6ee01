import { z } from 'zod';
import { messageOf } from '../../base/errors.js';
import { parseTimeServer } from '../time/sntp-client.js';
import { parseDuration, parseSize } from '../../base/units.js';

function parsedBy(parse: (text: string) => number) {
  return (text: string, context: z.RefinementCtx): number => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
      return z.NEVER;
    }
  };
}

/** "30d", "90s" → milliseconds. */
export const duration = z.string().transform(parsedBy(parseDuration));

/** "50M", "4G" → bytes. */
export const size = z.string().transform(parsedBy(parseSize));

/** As `duration` and `size`, kept as they were written: site files are read back from what was stored. */
export const durationText = z.string().refine((text) => duration.safeParse(text).success, { error: (issue) => `"${String(issue.input)}" is not a duration; write it like "30d", "90s" or "1h30m"` });
export const sizeText = z.string().refine((text) => size.safeParse(text).success, { error: (issue) => `"${String(issue.input)}" is not a size; write it like "512K", "50M" or "4G"` });

export const port = z.int().min(0).max(65535);

/** "ntp.example.cn", "192.0.2.1:123". */
export const timeServer = z.string().superRefine((text, context) => {
  try {
    parseTimeServer(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
  }
});

/** "30000-30499" → inclusive range. */
export const portRange = z.string().transform((text, context) => {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2]);
  if (!match || from < 1 || to > 65535 || to <= from) {
    context.addIssue({ code: 'custom', message: `"${text}" is not a range of ports; write it like "30000-30499"` });
    return z.NEVER;
  }
  return { from, to };
});

/** 20 decimal digits (GB/T 28181 Annex E). */
export const gbId = z.string().regex(/^\d{20}$/, 'must be 20 decimal digits in quotes (GB/T 28181 identity)');
