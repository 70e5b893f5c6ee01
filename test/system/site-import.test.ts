import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import { WEEKDAYS } from '../../service/config/analysis-windows.js';
import type { Site } from '../../service/config/site.js';
import { Storyteller } from './support/storyteller.js';
import { Street, until } from './support/street.js';

const TOKEN = 'a-token-of-the-import-test';

interface ImportAnswer {
  applied: boolean;
  openVisits: { uid: string }[];
  endedVisits: string[];
  cameras: { id: string; berths: { change: string }[] }[];
  error?: string;
  message?: string;
}

/** The site changes under a running service: streams go on, and who stands in a berth that goes gets a leave record. */
describe.skipIf(!haveTool('ffmpeg'))('importing a site into a running service', () => {
  const street = new Street({ cameras: [{ transport: 'tcp-passive' }] });
  let site: Site;
  beforeAll(async () => {
    street.config.http = { ...street.config.http, token: TOKEN };
    await street.start();
    await street.streaming();
    site = await street.get<Site>('/api/site');
  }, 180_000);
  afterAll(() => street.close());

  async function post(next: Site, query: string, token = TOKEN): Promise<{ status: number; body: ImportAnswer }> {
    const response = await fetch(`${street.url}/api/site/import?name=site.yaml&${query}`, { method: 'POST', body: JSON.stringify(next), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
    return { status: response.status, body: (await response.json()) as ImportAnswer };
  }
  const without = (berthId: string): Site => ({ ...site, cameras: site.cameras.map((camera) => ({ ...camera, berths: camera.berths.filter((berth) => berth.id !== berthId) })) });
  const berths = async (): Promise<number> => (await street.get<{ id: string; berths: unknown[] }[]>('/api/cameras')).find((camera) => camera.id === 'cam-1')?.berths.length ?? 0;

  it('refuses a stranger, previews, and refuses to take out a berth with a vehicle in it', async () => {
    const visit = await new Storyteller(street).enter(0);
    expect((await post(without('b-1-0'), 'dryRun=1', 'wrong')).status).toBe(401);
    const preview = await post(without('b-1-0'), 'dryRun=1');
    expect(preview).toMatchObject({ status: 200, body: { applied: false, openVisits: [{ uid: visit.uid }], cameras: [{ id: 'cam-1', berths: [{ change: 'removed' }] }] } });
    expect(await post(without('b-1-0'), 'remove=0')).toMatchObject({ status: 409, body: { error: 'SITE_OPEN_VISITS' } });
    expect(await berths()).toBe(4);

    const done = await post(without('b-1-0'), 'remove=1');
    expect(done).toMatchObject({ status: 200, body: { applied: true, endedVisits: [visit.uid] } });
    expect(await berths()).toBe(3);
    await until('the platform has the leave record', async () => (await street.pending()) === 0 && street.city.records().some((record) => record.leave), 90_000, () => street.told());
    const told = await street.get<{ leftAt: number | null; deliveries: { kind: string; state: string }[] }>(`/api/visits/${visit.uid}`);
    expect(told.leftAt).not.toBeNull();
    expect(told.deliveries.filter(({ kind }) => kind === 'enter' || kind === 'leave').map(({ state }) => state)).toEqual(['delivered', 'delivered']);
  });

  it('leaves the stream alone where only berths and notes change, ends it where the camera is switched off, and brings both back', async () => {
    expect(street.said(/stream-down|no stream from the camera/)).toEqual([]);
    const before = await street.analysedTo('cam-1');
    expect((await post(site, '')).status).toBe(200);
    expect(await berths()).toBe(4);
    await until('the analysis goes on', async () => (await street.analysedTo('cam-1')) > before + 3_000);
    const stream = async (): Promise<string> => (await street.get<{ id: string; stream: { state: string } }[]>('/api/cameras')).find((camera) => camera.id === 'cam-1')?.stream.state ?? '';
    expect(await stream()).toBe('streaming');

    const off = { ...site, cameras: site.cameras.map((camera) => (camera.id === 'cam-1' ? { ...camera, enabled: false } : camera)) };
    expect((await post(off, '')).status).toBe(200);
    expect(await stream()).toBe('none');
    expect((await post(site, '')).status).toBe(200);
    await until('it streams again', async () => (await stream()) === 'streaming', 90_000, () => street.told());
  });

  it('stops looking outside the hours of analysis, and says so', async () => {
    // A window of a minute, twelve hours from now: closed whenever this runs.
    const hour = (new Date().getUTCHours() + 8 + 12) % 24;
    const time = (minute: number): string => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
    const closed = { ...site, cameras: site.cameras.map((camera) => ({ ...camera, analysis: { windows: [{ days: [...WEEKDAYS], from: time(0), to: time(1) }] } })) };
    expect((await post(closed, '')).status).toBe(200);
    const passed = async (): Promise<number> => Number(/berthwatch_gops_passed_total\{camera="cam-1"\} (\d+)/.exec(await (await fetch(`${street.url}/metrics`)).text())?.[1] ?? 0);
    await until('GOPs are passed over', async () => (await passed()) >= 3, 90_000, () => street.told());
    const camera = (await street.get<{ id: string; analysis: { open: boolean }; analysedTo: number; stream: { lastUnitAt: number } }[]>('/api/cameras')).find(({ id }) => id === 'cam-1');
    expect(camera?.analysis.open).toBe(false);
    // It keeps up with the log all the same.
    expect((camera?.stream.lastUnitAt ?? 0) - (camera?.analysedTo ?? 0)).toBeLessThan(30_000);
  });
});
