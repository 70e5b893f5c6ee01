import { defineConfig } from 'vitest/config';

// Two projects: `unit` stands beside the code and needs nothing but Node; `system` spans rooms and runs real parts.
export default defineConfig({
  test: {
    // Faults and native children make timeouts meaningful only as hang detectors.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['{base,ingest,storage,vision,parking,evidence,platform,service,console,models}/**/*.test.{ts,tsx}'],
        },
      },
      {
        extends: true,
        // After the unit tests, one file after the other: these run whole processes.
        test: { name: 'system', sequence: { groupOrder: 1 }, include: ['test/**/*.test.ts'], fileParallelism: false, testTimeout: 900_000, hookTimeout: 300_000 },
      },
    ],
  },
});
