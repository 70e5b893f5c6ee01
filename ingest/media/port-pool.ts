import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';

export interface PortPoolOptions {
  /** First and last port of the range, both may be used. RTP takes even ports, RTCP the one above (RFC 3550 section 11). */
  from: number;
  to: number;
  clock: Clock;
  /** How long a released port rests: the sender of the session before may not have heard the BYE. */
  quarantineMs?: number;
}

/**
 * Even ports for media, shared by all receivers of a process. The one unused for longest comes first and a released one
 * rests, so that a late sender does not meet the next camera's socket.
 */
export class PortPool {
  readonly #free: number[] = [];
  readonly #inUse = new Set<number>();
  /** In order of release. */
  readonly #resting: { port: number; freeAt: number }[] = [];
  readonly #clock: Clock;
  readonly #quarantineMs: number;
  readonly #range: string;

  constructor({ from, to, clock, quarantineMs = 15_000 }: PortPoolOptions) {
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 1 || to > 65_535 || to <= from) {
      throw new BerthwatchError('bad-input', 'INGEST_PORT_RANGE', `media port range ${from}-${to} is not usable; give two ports between 1 and 65535, the second larger`);
    }
    for (let port = from + (from % 2); port + 1 <= to; port += 2) this.#free.push(port);
    if (this.#free.length === 0) throw new BerthwatchError('bad-input', 'INGEST_PORT_RANGE', `media port range ${from}-${to} holds no even port with its neighbour`);
    this.#clock = clock;
    this.#quarantineMs = quarantineMs;
    this.#range = `${from}-${to}`;
  }

  get inUse(): number {
    return this.#inUse.size;
  }

  /** Ports that could be had now. */
  get available(): number {
    this.#wake();
    return this.#free.length;
  }

  /** @throws BerthwatchError unavailable where all are in use or resting */
  acquire(): number {
    this.#wake();
    const port = this.#free.shift();
    if (port === undefined) {
      throw new BerthwatchError(
        'unavailable',
        'INGEST_PORTS_EXHAUSTED',
        `no media port is free in ${this.#range} (${this.#inUse.size} in use, ${this.#resting.length} resting after a session); widen the range: a camera needs two`,
      );
    }
    this.#inUse.add(port);
    return port;
  }

  /** Gives a port back; a second release does nothing. */
  release(port: number): void {
    if (!this.#inUse.delete(port)) return;
    this.#resting.push({ port, freeAt: this.#clock.monotonic() + this.#quarantineMs });
  }

  #wake(): void {
    const now = this.#clock.monotonic();
    while (this.#resting.length > 0 && (this.#resting[0] as { freeAt: number }).freeAt <= now) {
      this.#free.push((this.#resting.shift() as { port: number }).port);
    }
  }
}
