import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import { checkFootage } from './support/footage-check.js';
import { SettableClock } from './support/settable-clock.js';
import { Street, until } from './support/street.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface SegmentRow {
  segment: number;
  started_at: number;
  ended_at: number;
  state: string;
}

/** Somebody sets the host's clock while cameras record. */
describe.skipIf(!haveTool('ffmpeg'))('the clock of the host', () => {
  let street: Street;
  const clock = new SettableClock();
  beforeEach(async () => {
    street = new Street({ cameras: [{ transport: 'tcp-passive' }], clock });
    // The camera must find the service again when it restarts: a port that the kernel does not lend to somebody's connection meanwhile.
    street.config.gb28181.port = 30_400 + Math.floor(Math.random() * 2_000);
    await street.start();
    await street.streaming();
  });
  afterEach(() => street.close());

  const rows = async (): Promise<SegmentRow[]> => (await street.database.query<SegmentRow>(`SELECT segment, started_at, ended_at, state FROM footage_segment WHERE camera_id = 'cam-1' ORDER BY segment`)).rows;
  const position = async (): Promise<number> => (await street.database.query<{ segment: number }>(`SELECT segment FROM analysis WHERE camera_id = 'cam-1'`)).rows[0]?.segment ?? 0;
  const analysesBeyond = async (segment: number): Promise<void> => until('analysis goes on', async () => (await position()) > segment, 120_000, () => street.told());
  const clockStatus = async (): Promise<{ steps: { byMs: number }[]; unconfirmedMs: number }> => (await street.get<{ clock: { steps: { byMs: number }[]; unconfirmedMs: number } }>('/api/status')).clock;

  it('set back an hour and forward a day: the log stays in order, overlap and gap are told, nothing sealed is lost, analysis goes on', async () => {
    await until('sealed segments', async () => (await rows()).length >= 2, 60_000, () => street.told());
    const before = await rows();

    clock.step(-HOUR);
    await until('the step is seen', async () => (await clockStatus()).steps.length === 1);
    expect(Math.abs(((await clockStatus()).steps[0]?.byMs ?? 0) + HOUR)).toBeLessThan(5_000);
    // The running session goes on in order; another one begins at the time that the clock has now.
    const continued = await rows();
    await until('footage after the step', async () => (await rows()).length > continued.length + 1, 60_000, () => street.told());
    expect((await rows()).every((row, i, all) => i === 0 || row.started_at >= (all[i - 1] as SegmentRow).ended_at)).toBe(true);
    await street.stopService();
    await street.startService();
    await until('footage of the hour that comes a second time', async () => (await rows()).some((row, i, all) => i > 0 && row.started_at < (all[i - 1] as SegmentRow).ended_at - HOUR / 2), 120_000, () => street.told());
    const twice = await rows();
    await analysesBeyond((twice.at(-1) as SegmentRow).segment);
    const overlaps = (await street.database.query<{ segment: number; from_at: number; to_at: number }>('SELECT segment, from_at, to_at FROM footage_overlap')).rows;
    expect(overlaps).toHaveLength(1);
    expect((overlaps[0] as { to_at: number; from_at: number }).to_at - (overlaps[0] as { from_at: number }).from_at).toBeGreaterThan(HOUR / 2);

    clock.step(DAY + HOUR);
    await until('the gap of the day', async () => (await street.database.query('SELECT 1 FROM footage_gap WHERE to_at - from_at > $1', [DAY / 2])).rowCount > 0, 120_000, () => street.told());
    expect((await clockStatus()).unconfirmedMs).toBeGreaterThan(DAY / 2);
    const after = await rows();
    await analysesBeyond((after.at(-1) as SegmentRow).segment);
    // Numbers rise without a hole, whatever the clock said, and nothing that was sealed is gone.
    expect(after.map((row) => row.segment)).toEqual(after.map((_, i) => i + 1));
    expect(after.slice(0, before.length)).toEqual(before);
    expect(street.said(/is passed over/)).toEqual([]);
    await street.stopService();

    const footage = await checkFootage(street.config, 'cam-1');
    expect(footage.spoilt).toEqual([]);
    expect(footage.gaps.filter((gap) => gap.reason !== 'service restarted' && gap.reason !== 'stream ended')).toHaveLength(1);
    clock.step(-DAY);
  });
});
