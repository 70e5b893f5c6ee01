import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { withCatalogue } from '../../../service/cli/site.js';
import type { Config } from '../../../service/config/config.js';
import { FootageLog } from '../../../storage/footage/footage-log.js';

export interface FootageReport {
  gops: number;
  units: number;
  /** Longest time between two units that follow one another, ms. */
  longestStep: number;
  gaps: { from: number; reason: string }[];
  /** Sealed segments, and those whose file does not have the SHA-256 of the catalogue. */
  sealed: number;
  spoilt: string[];
  /** Position of the newest GOP, and of the analysis. */
  newest: string;
  analysed: string;
}

/** What a stopped service's footage log holds of a camera, read from disk. */
export function checkFootage(config: Config, cameraId: string): Promise<FootageReport> {
  return withCatalogue(config, async (database) => {
    const folder = join(config.dataFolder, 'footage');
    const log = new FootageLog({ folder, database, clock: systemClock, logger: silentLogger });
    await log.start();
    try {
      const report: FootageReport = { gops: 0, units: 0, longestStep: 0, gaps: [], sealed: 0, spoilt: [], newest: '', analysed: '' };
      let last: number | null = null;
      const always = Number.MAX_SAFE_INTEGER;
      for (const gop of await log.gopsBetween(cameraId, 0, always)) {
        report.gops++;
        report.newest = `${gop.position.segment}/${gop.position.gop}`;
        for (const unit of await gop.read()) {
          report.units++;
          if (last !== null) report.longestStep = Math.max(report.longestStep, unit.capturedAt - last);
          last = unit.capturedAt;
        }
      }
      report.gaps = (await log.gaps(cameraId, 0, always)).filter((gap) => gap.to !== null).map(({ from, reason }) => ({ from, reason }));
      const { rows } = await database.query<{ segment: number; sha256: Buffer; state: string }>('SELECT segment, sha256, state FROM footage_segment WHERE camera_id = $1 ORDER BY segment', [cameraId]);
      for (const row of rows) {
        const path = log.files.segmentPath(cameraId, row.segment);
        report.sealed++;
        if (row.state !== 'sealed' || (await sha256(path)) !== row.sha256.toString('hex')) report.spoilt.push(path);
      }
      const position = await database.query<{ segment: number; gop: number }>('SELECT segment, gop FROM analysis WHERE camera_id = $1', [cameraId]);
      report.analysed = position.rows[0] ? `${position.rows[0].segment}/${position.rows[0].gop}` : 'never';
      return report;
    } finally {
      await log.close();
    }
  });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
