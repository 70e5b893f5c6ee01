import { listValues, parseNameAddr } from '../sip/header-values.js';
import type { SipRequest } from '../sip/message.js';

export interface RegisterFields {
  /** Seconds asked for; 0 ends the registration. */
  expires: number;
  /** The Contact to echo, null where there is none. */
  contact: string | null;
}

/**
 * Expires comes as Contact parameter, which wins (RFC 3261 10.2.1.1), or as header; devices use either or none.
 * @param fallback seconds where neither can be read (RFC 3261 20.19 treats malformed values so)
 */
export function readRegister(request: SipRequest, fallback: number): RegisterFields {
  const contact = listValues(request.headers, 'contact')[0] ?? null;
  const header = toSeconds(request.headers.get('expires'));
  if (contact === null || contact === '*') return { expires: header ?? fallback, contact: null };
  let parameter: number | null = null;
  try {
    parameter = toSeconds(parseNameAddr(contact).params.get('expires') ?? undefined);
  } catch {
    // The message was validated before; an unreadable Contact only loses its parameter.
  }
  return { expires: parameter ?? header ?? fallback, contact };
}

function toSeconds(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,10}$/.test(text.trim()) ? Number(text) : null;
}

/** `<uri>;expires=n` for the 200 OK, other parameters of the Contact dropped. */
export function contactEcho(contact: string, expires: number): string {
  return `<${parseNameAddr(contact).uri}>;expires=${expires}`;
}
