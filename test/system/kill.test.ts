import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { Demo } from '../../service/demo/demo.js';
import { readConfig } from '../../service/config/config.js';
import { demoReady } from './support/demo-ready.js';
import { sceneIsOver } from './support/demo-run.js';
import { rederive, snapshot } from './support/rederive.js';

const KILLS = 20;

/**
 * Promises 1 to 3 under SIGKILL at random instants of the demo: what the city holds is still the scenario, each visit once; and
 * reading the surviving footage once more, undisturbed, gives the same visits, uids, messages and pictures to the byte.
 */
describe.skipIf(!demoReady())('the demo, killed again and again', () => {
  let folder: string;
  let demo: Demo;
  const lines: string[] = [];
  beforeEach(() => {
    folder = temporaryFolder('bw-kill-');
    demo = new Demo({ folder, port: 0, loop: false, write: (line) => lines.push(line), colours: false });
  });
  afterEach(async () => {
    await demo.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`tells the same story after ${KILLS} SIGKILLs`, async () => {
    await demo.start();
    const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
    const random = seededRandom(seed);
    let kills = 0;
    for (; kills < KILLS && !demo.over; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 2_000 + random() * 6_000));
      const pid = demo.servicePid;
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    expect(kills, `only ${kills} kills before the clips ended`).toBe(KILLS);
    await sceneIsOver(demo);
    const verdict = await demo.verdict();
    // A long message is cut at its head.
    const told = `${lines.join('\n')}\nseed ${seed}`;
    expect(verdict.faults, told).toEqual([]);
    expect(verdict.right, told).toBe(verdict.expected);

    await demo.close();
    const config = readConfig(join(folder, 'berthwatch.yaml'), {});
    const before = await snapshot(config);
    const after = await rederive(config);
    expect(after.visits, told).toEqual(before.visits);
    expect(after.messages, told).toEqual(before.messages);
    expect(after.pictures, told).toEqual(before.pictures);
    expect(before.visits.map((visit) => visit.uid).sort()).toEqual(verdict.city.records.map((record) => record.uid).sort());
  });
});
