import type { Demo } from '../../../service/demo/demo.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until both clips were shown to their end and what they showed has settled: nothing pending, nothing new. */
export async function sceneIsOver(demo: Demo, limitMs = 600_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!demo.over) {
    if (Date.now() > deadline) throw new Error('the clips did not come to their end');
    await Promise.race([pause(500), demo.failed]);
  }
  await settled(demo, deadline);
}

/** Waits until no evidence and no record waits, twice in a row with some time between. */
export async function settled(demo: Demo, deadline = Date.now() + 180_000): Promise<void> {
  let quiet = 0;
  // The clip's last seconds are shown again and again; the last leave is confirmed some seconds after it happened.
  await pause(20_000);
  while (quiet < 3) {
    if (Date.now() > deadline) throw new Error('records or pictures still wait');
    await Promise.race([pause(1_000), demo.failed]);
    const status = (await fetch(`${demo.url}/api/status`).then((response) => response.json(), () => null)) as { counts: { pendingEvidence: number }; platforms: { pending: number }[] } | null;
    const idle = status !== null && status.counts.pendingEvidence === 0 && status.platforms.every((platform) => platform.pending === 0);
    quiet = idle ? quiet + 1 : 0;
  }
}
