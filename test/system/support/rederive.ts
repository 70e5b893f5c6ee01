import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import type { Platform, PlatformMessage } from '../../../platform/message.js';
import type { Config } from '../../../service/config/config.js';
import { withCatalogue } from '../../../service/cli/site.js';
import { Core } from '../../../service/core.js';
import { Feed } from '../../../service/live/feed.js';
import { ProblemBoard } from '../../../service/live/problems.js';
import { createMetrics } from '../../../service/metrics.js';
import type { Database } from '../../../storage/catalogue/database.js';

/** What was derived from the footage. */
export interface Derived {
  visits: { uid: string; doc: unknown }[];
  messages: { message_key: string; message: unknown }[];
  pictures: { picture_id: string; sha256: string }[];
}

async function derived(database: Database): Promise<Derived> {
  return {
    visits: (await database.query<{ uid: string; doc: unknown }>('SELECT uid, doc FROM visit ORDER BY uid')).rows,
    messages: (await database.query<{ message_key: string; message: unknown }>('SELECT message_key, message FROM outbox ORDER BY message_key')).rows,
    pictures: (await database.query<{ picture_id: string; sha256: string }>('SELECT picture_id, sha256 FROM evidence ORDER BY picture_id')).rows,
  };
}

/** What a stopped service's catalogue holds. */
export function snapshot(config: Config): Promise<Derived> {
  return withCatalogue(config, derived);
}

/** A platform that takes part in making messages and gets none. */
const silent = (id: string): Platform => ({
  id,
  accepts: new Set<PlatformMessage['kind']>(['enter', 'correction', 'leave', 'photo', 'heartbeat']),
  deliver: () => Promise.resolve({ outcome: 'unreachable', reason: 'not a real platform' }),
});

/** Forgets everything that was derived from a stopped service's footage, and derives it once more. */
export async function rederive(config: Config): Promise<Derived> {
  await withCatalogue(config, (database) => database.query('TRUNCATE analysis, outbox, evidence, evidence_job, visit'));
  const feed = new Feed(systemClock);
  const core = new Core({
    config,
    clock: systemClock,
    logger: silentLogger,
    feed,
    problems: new ProblemBoard(systemClock, silentLogger, feed),
    metrics: createMetrics(),
    platforms: config.platforms.map((platform) => silent(platform.id)),
    onRecords: () => undefined,
  });
  await core.start();
  try {
    for (const camera of core.site.cameras) {
      while (!(await core.isCaughtUp(camera.id))) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    while ((await core.pendingEvidence()) > 0) await new Promise((resolve) => setTimeout(resolve, 200));
    return await derived(core.database);
  } finally {
    await core.close();
  }
}
