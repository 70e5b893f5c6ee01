import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import type { DeliveryOutcome, Platform, PlatformMessage } from '../message.js';
import type { ClaimedMessage } from './outbox-table.js';
import { OutboxWorker, type OutboxStore } from './outbox-worker.js';

const MINUTE = 60_000;

interface Row {
  id: number;
  key: string;
  requires: string[];
  attempts: number;
  refusals: number;
  notBefore: number;
  delivered: boolean;
}

/** The table's rules in memory, so that the order can be seen without a database; `outbox-table.test.ts` checks the SQL. */
class MemoryStore implements OutboxStore {
  readonly rows: Row[] = [];

  add(key: string, requires: string[] = []): void {
    this.rows.push({ id: this.rows.length, key, requires, attempts: 0, refusals: 0, notBefore: 0, delivered: false });
  }

  #claim(now: number, rows: Row[]): Promise<ClaimedMessage | null> {
    const row = rows.find((r) => !r.delivered && r.notBefore <= now && r.requires.every((key) => this.rows.find((o) => o.key === key)?.delivered));
    if (!row) return Promise.resolve(null);
    row.attempts++;
    const message = { kind: 'heartbeat', lotCode: row.key, at: 0, entered: 0, left: 0, photos: 0 } as const;
    return Promise.resolve({ id: row.id, key: row.key, message, attempts: row.attempts, refusals: row.refusals });
  }

  claimFresh(now: number): Promise<ClaimedMessage | null> {
    return this.#claim(now, this.rows.filter((row) => row.attempts === 0));
  }

  claimNewest(now: number): Promise<ClaimedMessage | null> {
    return this.#claim(now, [...this.rows].reverse());
  }

  delivered(id: number): Promise<void> {
    (this.rows[id] as Row).delivered = true;
    return Promise.resolve();
  }

  failed(id: number, outcome: DeliveryOutcome, notBefore: number): Promise<void> {
    const row = this.rows[id] as Row;
    row.notBefore = notBefore;
    if (outcome.outcome === 'refused') row.refusals++;
    return Promise.resolve();
  }
}

class ScriptedPlatform implements Platform {
  readonly id = 'scripted';
  readonly accepts: ReadonlySet<PlatformMessage['kind']> = new Set(['heartbeat'] as const);
  readonly calls: string[] = [];
  answer: (key: string) => DeliveryOutcome = () => ({ outcome: 'delivered', response: 'ok' });

  deliver(message: PlatformMessage, context: { retransmission: boolean }): Promise<DeliveryOutcome> {
    const key = message.lotCode;
    this.calls.push(context.retransmission ? `${key}*` : key);
    return Promise.resolve(this.answer(key));
  }
}

function setup() {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const platform = new ScriptedPlatform();
  const worker = new OutboxWorker({ platform, table: store, clock, logger: silentLogger, retryMs: MINUTE, readObject: () => Promise.reject(new Error('none')), onOutcome: () => undefined });
  return { clock, store, platform, worker };
}

/** Lets all promises settle that do not wait for the clock. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('OutboxWorker', () => {
  it('sends new messages at once, oldest first, and none before those it requires', async () => {
    const { store, platform, worker } = setup();
    store.add('leave', ['enter']);
    store.add('enter');
    store.add('photo', ['enter']);
    worker.start();
    await settle();
    expect(platform.calls).toEqual(['enter', 'leave', 'photo']);
    await worker.close();
  });

  it('while the platform is down tries one message a minute, the newest, and sends all newest first when it is back', async () => {
    const { clock, store, platform, worker } = setup();
    platform.answer = () => ({ outcome: 'unreachable', reason: 'connection refused' });
    worker.start();
    await settle();
    for (const key of ['a', 'b', 'c']) {
      store.add(key);
      worker.poke();
      await settle();
    }
    expect(platform.calls).toEqual(['a']);
    clock.advance(MINUTE);
    await settle();
    expect(platform.calls).toEqual(['a', 'c']);
    platform.answer = () => ({ outcome: 'delivered', response: 'ok' });
    clock.advance(MINUTE);
    await settle();
    expect(platform.calls).toEqual(['a', 'c', 'c*', 'b', 'a*']);
    await worker.close();
  });

  it('does not let a refused message keep the others from their turn', async () => {
    const { clock, store, platform, worker } = setup();
    platform.answer = (key) => (key === 'bad' ? { outcome: 'refused', code: '400', reason: 'plateNo' } : { outcome: 'delivered', response: 'ok' });
    store.add('bad');
    store.add('good');
    worker.start();
    await settle();
    expect(platform.calls).toEqual(['bad', 'good']);
    clock.advance(MINUTE);
    await settle();
    expect(platform.calls).toEqual(['bad', 'good', 'bad*']);
    clock.advance(MINUTE);
    await settle();
    expect(platform.calls, 'the second refusal doubles the wait').toHaveLength(3);
    clock.advance(MINUTE);
    await settle();
    expect(platform.calls).toHaveLength(4);
    expect(store.rows.map((row) => row.delivered)).toEqual([false, true]);
    await worker.close();
  });

  it('marks what was tried before a restart as a retransmission', async () => {
    const { store, platform, worker } = setup();
    store.add('in flight');
    (store.rows[0] as Row).attempts = 1;
    worker.start();
    await settle();
    expect(platform.calls).toEqual(['in flight*']);
    await worker.close();
  });

  it('survives a store that fails for a while', async () => {
    const { clock, store, platform, worker } = setup();
    const claim = store.claimFresh.bind(store);
    store.claimFresh = () => Promise.reject(new Error('database away'));
    store.add('a');
    worker.start();
    await settle();
    expect(platform.calls).toEqual([]);
    store.claimFresh = claim;
    clock.advance(1_000);
    await settle();
    expect(platform.calls).toEqual(['a']);
    await worker.close();
  });
});
