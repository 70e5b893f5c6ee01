import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.js';

/** What a ticket lets its bearer read, and until when. */
export interface Ticket {
  /** `camera`: its footage between two times · `export`: the file of an export · `visit`: the export of a visit. */
  kind: 'camera' | 'export' | 'visit';
  id: string;
  /** Of footage, Unix ms; `to` null: whatever comes. */
  from: number;
  to: number | null;
  /** Unix ms. */
  expiresAt: number;
}

const MAC_BYTES = 18;

/**
 * Signed, short-lived addresses for what cannot send headers: video elements of browsers that play HLS themselves, downloads, players outside
 * of browsers. A ticket is a part of the path, so that relative addresses in a playlist carry it on. The key comes from the API's token, so
 * that all nodes of a cluster agree and a changed token ends all tickets.
 */
export class Tickets {
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly lifetimeMs: number;

  constructor(options: { token: string | null; clock: Clock; lifetimeMs: number }) {
    this.#key = Buffer.from(hkdfSync('sha256', options.token ?? randomBytes(32), '', 'berthwatch playback tickets 1', 32));
    this.#clock = options.clock;
    this.lifetimeMs = options.lifetimeMs;
  }

  issue(scope: Omit<Ticket, 'expiresAt'>): { ticket: string; expiresAt: number } {
    const expiresAt = this.#clock.now() + this.lifetimeMs;
    const payload = Buffer.from(JSON.stringify([scope.kind, scope.id, scope.from, scope.to, expiresAt]));
    return { ticket: `${payload.toString('base64url')}.${this.#mac(payload).toString('base64url')}`, expiresAt };
  }

  /** What a ticket stands for; null where it is not ours or its time is over. */
  read(text: string): Ticket | null {
    const [payloadText = '', macText = '', ...rest] = text.split('.');
    if (rest.length > 0 || text.length > 1_000) return null;
    const payload = Buffer.from(payloadText, 'base64url');
    const mac = Buffer.from(macText, 'base64url');
    if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.#mac(payload))) return null;
    // Signed by us: its shape is known.
    const [kind, id, from, to, expiresAt] = JSON.parse(payload.toString()) as [Ticket['kind'], string, number, number | null, number];
    return this.#clock.now() < expiresAt ? { kind, id, from, to, expiresAt } : null;
  }

  #mac(payload: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(payload).digest().subarray(0, MAC_BYTES);
  }
}

/** The ticket in an address under `/api/play/`; null where it is another address. */
export function ticketOf(url: string): string | null {
  return /^\/api\/play\/([\w.-]{1,1000})\//.exec(url)?.[1] ?? null;
}
