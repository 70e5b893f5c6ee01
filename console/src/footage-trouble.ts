/** Why footage is not shown: what the service said, or a case that the page has words for (`trouble.…`). */
export type Trouble = { said: string } | { known: 'cannotPlay' | 'unreachable' | 'slow' | 'damaged' };

/** What the player knows of a failure. */
export interface Failure {
  /** hls.js's kind and name of it. */
  type: string;
  details: string;
  /** The answer's status; 0 or missing where none came. */
  status: number | undefined;
  /** The answer's body, as far as it came. */
  answer: unknown;
}

/** Pauses before footage is asked for again, ms; the last one goes on. */
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
/** What another try hardly mends is not tried for ever. */
const FEW = 3;

export function troubleOf({ type, details, status, answer }: Failure): Trouble {
  const said = messageIn(answer);
  if (said !== null) return { said };
  if (type === 'mediaError') return { known: 'damaged' };
  if (/TimeOut$/.test(details)) return { known: 'slow' };
  if (!status) return { known: 'unreachable' };
  return { said: `HTTP ${status}` };
}

/** How long to wait before trying for the n-th time (from 0), or null to leave it: a service that is away or busy comes back, damaged footage does not. */
export function pauseBefore(attempt: number, { type, status }: Pick<Failure, 'type' | 'status'>): number | null {
  const comesBack = type === 'networkError' && (!status || status >= 500);
  if (!comesBack && attempt >= FEW) return null;
  return PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] as number;
}

function messageIn(answer: unknown): string | null {
  try {
    const text = typeof answer === 'string' ? answer : answer instanceof ArrayBuffer ? new TextDecoder().decode(answer) : '';
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : null;
  } catch {
    return null;
  }
}
