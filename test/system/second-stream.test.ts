import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import { checkFootage } from './support/footage-check.js';
import { Street, until } from './support/street.js';

/** Main and sub stream of a camera recorded side by side; one of them is looked at. */
describe.skipIf(!haveTool('ffmpeg'))('a camera whose two streams are recorded', () => {
  let street: Street;
  beforeEach(async () => {
    street = new Street({ cameras: [{ transport: 'tcp-passive', streams: { record: 'both' } }] });
    await street.start();
    await street.streaming();
  });
  afterEach(() => street.close());

  it('has two logs, of which one is analysed', async () => {
    const storage = (): Promise<{ cameras: { cameraId: string; segments: number }[] }> => street.get('/api/storage');
    await until(
      'segments of both',
      async () => (await street.database.query<{ camera_id: string }>('SELECT camera_id FROM footage_segment GROUP BY 1 HAVING count(*) > 1')).rows.length === 2,
      90_000,
      () => street.told(),
    );
    expect((await storage()).cameras.map(({ cameraId }) => cameraId)).toEqual(expect.arrayContaining(['cam-1', 'cam-1~sub']));
    const invites = street.cameras[0]?.log.events('invite') ?? [];
    expect(invites.length).toBeGreaterThanOrEqual(2);
    const analysed = (await street.database.query<{ camera_id: string }>('SELECT camera_id FROM analysis')).rows;
    expect(analysed).toEqual([{ camera_id: 'cam-1' }]);
    expect(await street.problems()).toEqual([]);
    await street.stopService();
    for (const log of ['cam-1', 'cam-1~sub']) {
      const footage = await checkFootage(street.config, log);
      expect(footage, log).toMatchObject({ spoilt: [], gaps: [] });
      expect(footage.gops, log).toBeGreaterThan(1);
    }
  });
});
