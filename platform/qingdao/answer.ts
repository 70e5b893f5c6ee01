import { z } from 'zod';
import { parseBeijing } from '../../base/beijing-time.js';
import type { DeliveryOutcome } from '../message.js';

/** A.2.1.4 and A.4.1.5.6: `resultCode` is a string in the tables and a number in one example; both are read. */
const Answer = z.object({
  resultCode: z.union([z.string(), z.number()]).transform(String),
  msg: z.string().max(4096).optional(),
  srvTime: z.string().optional(),
});

/** Longest answer that is looked at; the protocol's own are below 1 KB. */
export const ANSWER_LIMIT_BYTES = 64 * 1024;

/** What an answer's body means. HTTP errors without a protocol body count as unreachable: the platform itself did not answer. */
export function readAnswer(httpStatus: number, body: string): DeliveryOutcome {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return { outcome: 'unreachable', reason: `HTTP ${httpStatus} without a JSON answer: ${JSON.stringify(body.slice(0, 120))}` };
  }
  const answer = Answer.safeParse(parsed);
  if (!answer.success) return { outcome: 'unreachable', reason: `HTTP ${httpStatus}, answer without resultCode: ${JSON.stringify(body.slice(0, 120))}` };
  const { resultCode, msg, srvTime } = answer.data;
  if (resultCode !== '200') return { outcome: 'refused', code: resultCode, reason: msg ?? 'no reason given' };
  const platformTime = srvTime === undefined ? null : parseBeijing(srvTime);
  return { outcome: 'delivered', response: body.slice(0, 500), ...(platformTime === null ? {} : { platformTime }) };
}
