import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { Demo } from '../../service/demo/demo.js';
import { demoReady } from './support/demo-ready.js';
import { sceneIsOver } from './support/demo-run.js';

/** The main job, undisturbed: two cameras, every visit of both scenes, every record and picture, right. */
describe.skipIf(!demoReady())('the demo', () => {
  let folder: string;
  let demo: Demo;
  const lines: string[] = [];
  beforeEach(() => {
    folder = temporaryFolder('bw-demo-');
    demo = new Demo({ folder, port: 0, loop: false, write: (line) => lines.push(line), colours: false });
  });
  afterEach(async () => {
    await demo.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('delivers every visit of both scenes right', async () => {
    await demo.start();
    await sceneIsOver(demo);
    const verdict = await demo.verdict();
    expect(verdict.faults, lines.join('\n')).toEqual([]);
    expect(verdict.expected).toBeGreaterThanOrEqual(8);
    expect(verdict.right).toBe(verdict.expected);
    const cameras = (await (await fetch(`${demo.url}/api/cameras`)).json()) as { stream: { state: string; codec: string; strangers: number } }[];
    expect(cameras.map((camera) => camera.stream.codec).sort()).toEqual(['h264', 'h265']);
    // The clips are over and their last second is shown again and again, which is what a frozen camera looks like; nothing else is wrong.
    const { problems } = (await (await fetch(`${demo.url}/healthz`)).json()) as { problems: { part: string }[] };
    expect(problems.filter(({ part }) => !/^picture\/.*\/frozen$/.test(part))).toEqual([]);
    expect(await (await fetch(`${demo.url}/metrics`)).text()).toMatch(/berthwatch_gops_analysed_total\{camera="[^"]+"\} [1-9]/);
    for (const photo of verdict.city.photos) expect(photo.bytes).toBeLessThanOrEqual(400 * 1024);
  });
});
