import type { Clock } from '../../base/clock.js';

/** Something that people watching would want to know. `data` holds ids and figures, no texts for people. */
export interface FeedItem {
  /** Rises by one; starts anew with the process. */
  id: number;
  /** Unix ms at which it was noticed. */
  at: number;
  type:
    | 'device-online'
    | 'device-offline'
    | 'device-alarm'
    | 'stream-up'
    | 'stream-down'
    | 'berth-state'
    | 'visit-opened'
    | 'visit-corrected'
    | 'visit-closed'
    | 'evidence-made'
    | 'record-delivered'
    | 'record-refused'
    | 'platform-unreachable'
    | 'problem'
    | 'problem-solved';
  data: Record<string, string | number | boolean | null>;
}

const KEPT = 500;

/** The last events in memory and those who listen. A listener that throws is dropped. */
export class Feed {
  readonly #clock: Clock;
  readonly #items: FeedItem[] = [];
  readonly #listeners = new Set<(item: FeedItem) => void>();
  #nextId = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish(type: FeedItem['type'], data: FeedItem['data']): void {
    const item: FeedItem = { id: this.#nextId++, at: this.#clock.now(), type, data };
    this.#items.push(item);
    if (this.#items.length > KEPT) this.#items.shift();
    for (const listener of this.#listeners) {
      try {
        listener(item);
      } catch {
        this.#listeners.delete(listener);
      }
    }
  }

  /** Items after `id`, oldest first, as far as they are still kept. */
  since(id: number): FeedItem[] {
    return this.#items.filter((item) => item.id > id);
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: (item: FeedItem) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
