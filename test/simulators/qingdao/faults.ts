import { z } from 'zod';
import { ENDPOINTS } from './fields.js';

/**
 * What may go wrong with the platform, for tests:
 * - `down`: the port is closed and connections are cut; nobody answers at all.
 * - `reset`: connections are taken and cut when a request has come, nothing is processed.
 * - `hang`: the request is read and never answered, nothing is processed.
 * - `500`: HTTP 500 with resultCode 500, nothing is processed.
 * - `garbage`: HTTP 200 with HTML in place of JSON, nothing is processed.
 * - `lose-answer`: the request is processed, then the connection is cut: the sender cannot know.
 * - `slow`: everything is right, after `ms`.
 */
export const faultSchema = z.strictObject({
  mode: z.enum(['down', 'reset', 'hang', '500', 'garbage', 'lose-answer', 'slow']),
  /** Only these interfaces (not for `down`). */
  endpoints: z.array(z.enum(ENDPOINTS as [string, ...string[]])).min(1).optional(),
  /** Over after so many requests (not for `down`). */
  times: z.number().int().min(1).optional(),
  /** Over after this time. */
  forMs: z.number().int().min(1).optional(),
  /** Delay of `slow`. */
  ms: z.number().int().min(0).default(2000),
});

export type FaultInput = z.input<typeof faultSchema>;
export type Fault = z.output<typeof faultSchema>;

/** The fault in force, if any; one at a time. */
export class FaultSwitch {
  private fault: Fault | null = null;
  private left = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly onOver: (fault: Fault) => void) {}

  get current(): Fault | null {
    return this.fault;
  }

  /** Puts a fault in force (null: none), in place of what was. */
  set(fault: Fault | null): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const before = this.fault;
    this.fault = fault;
    this.left = fault?.times ?? Number.POSITIVE_INFINITY;
    if (before) this.onOver(before);
    if (fault?.forMs !== undefined) this.timer = setTimeout(() => this.set(null), fault.forMs);
  }

  /** The fault that a request to this interface meets; counts it. */
  take(endpoint: string): Fault | null {
    const { fault } = this;
    if (!fault || fault.mode === 'down' || (fault.endpoints && !fault.endpoints.includes(endpoint))) return null;
    this.left -= 1;
    if (this.left <= 0) this.set(null);
    return fault;
  }
}
