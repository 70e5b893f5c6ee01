import type { Inputs } from './inputs.js';

/** What was counted while something ran. CPU time is that of one process, all its threads together. */
export interface Measured {
  cases: number;
  wallMs: number;
  cpuMs: number;
}

/** One line of the table. */
export interface BenchResult {
  what: string;
  /** What one case is, in the singular. */
  unit: string;
  measured: Measured;
  /** The same work done by somebody else on the same bytes, or why nobody did it. */
  reference: { what: string; measured: Measured } | { missing: string };
  /** Lines below the table: what the figures hold and what they leave out. */
  notes: readonly string[];
}

export interface BenchContext {
  inputs: Inputs;
  /** How long about each measurement goes on. */
  seconds: number;
  /** Says on standard error what goes on. */
  progress: (text: string) => void;
}

/** A group of measurements that share their set-up, chosen by name with `--only`. */
export interface BenchRow {
  name: string;
  run(context: BenchContext): Promise<BenchResult[]>;
}

/** Runs `once` until `seconds` are over (at least once) and counts wall time and CPU time of this process. */
export async function repeatFor(seconds: number, once: () => Promise<number> | number): Promise<Measured> {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  let cases = 0;
  do cases += await once();
  while (performance.now() - wall < seconds * 1000);
  const used = process.cpuUsage(cpu);
  return { cases, wallMs: performance.now() - wall, cpuMs: (used.user + used.system) / 1000 };
}
