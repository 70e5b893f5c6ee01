import { describe, expect, it } from 'vitest';
import { ReadModel, type ReadModelParts } from './read-model.js';

describe('the status', () => {
  it('never looks done while work passes from evidence to an outbox', async () => {
    // An evidence job that ends, and whose photos are put into the outbox in the same transaction, right after the first reading.
    const work = { jobs: 1, messages: 0 };
    const handOn = <T>(read: T): Promise<T> => {
      Object.assign(work, { jobs: 0, messages: 3 });
      return Promise.resolve(read);
    };
    const parts: Partial<ReadModelParts> = {
      database: { query: <Row extends object>() => handOn({ rows: [{ visits: 1, open: 1, pictures: 0, pending: work.jobs } as Row], rowCount: 1 }) },
      links: [{ counts: () => handOn({ platform: 'qingdao', pending: work.messages, delivered: 1, refused: 0, oldestPendingAt: null }) }],
      problems: { list: () => [] } as never,
      storage: () => null as never,
      archive: () => null as never,
      hostClock: () => null as never,
      now: () => 0,
    };
    const status = await new ReadModel(parts as ReadModelParts).status();
    expect(status.counts.pendingEvidence + status.platforms.reduce((sum, platform) => sum + platform.pending, 0)).toBeGreaterThan(0);
  });
});
