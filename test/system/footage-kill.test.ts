import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { killRun, killTable } from '../faults/kill-run.js';

/** The short form of `npm run test:faults`: promise 1 with real processes, real sockets and real media. */
describe.skipIf(!haveTool('ffmpeg') || !haveTool('ffprobe'))('footage, the service killed while cameras record', () => {
  let folder: string;
  beforeEach(() => void (folder = temporaryFolder('bw-footage-kill-')));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('misses at most the GOP in flight, and has a row for every file and a file for every row', async () => {
    const result = await killRun({ folder, cameras: 4, kills: 3, seed: 28_181, graceMs: 2_500, progress: () => undefined });
    expect(result.faults, killTable(result)).toEqual([]);
    expect(result.rounds).toHaveLength(3);
    expect(result.survey.played).toBe(result.survey.rows);
    expect(result.survey.recovered).toBeGreaterThan(0);
  });
});
