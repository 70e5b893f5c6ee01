import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import type { FaultInput } from '../simulators/qingdao/faults.js';
import { checkFootage } from './support/footage-check.js';
import { Storyteller } from './support/storyteller.js';
import { pause, Street, until } from './support/street.js';

/**
 * What the service needs breaks while it runs: city platform, database, disk. Nothing may be lost, the page, `/healthz` and the log
 * say what is wrong while it is wrong, and it goes on by itself.
 */
describe.skipIf(!haveTool('ffmpeg'))('while something that the service needs is broken', () => {
  let street: Street;
  let story: Storyteller;
  beforeEach(async () => {
    // TCP: a busy machine must not lose packets that a test then misses.
    street = new Street({ cameras: [{ transport: 'tcp-passive' }] });
    await street.start();
    story = new Storyteller(street);
    await street.streaming();
  });
  afterEach(() => street.close());

  /** Every visit told is with the city, once, in the order of A.3.1, with its pictures, and nothing was refused. */
  function expectDelivered(leaves: number): void {
    const { city } = street;
    expect(city.refused(), street.told()).toEqual([]);
    const records = city.records();
    expect(records.map((record) => record.uid).sort()).toEqual([...story.uids].sort());
    expect(records.filter((record) => record.leave !== null)).toHaveLength(leaves);
    for (const record of records) {
      const photos = city.photos().filter((photo) => photo.uid === record.uid);
      const enter = photos.filter((photo) => photo.fields.type === 1);
      expect(enter).toHaveLength(3);
      for (const photo of enter) expect(photo.order).toBeGreaterThan(record.enterOrder);
      const left = photos.filter((photo) => photo.fields.type === 2);
      expect(left).toHaveLength(record.leave === null ? 0 : 4);
      if (record.leaveOrder !== null) expect(record.leaveOrder).toBeGreaterThan(record.enterOrder);
      for (const photo of left) expect(photo.order).toBeGreaterThan(record.leaveOrder ?? 0);
    }
  }

  const solved = (part: string): boolean => street.said(/"msg":"solved: /).some((line) => line.part === part);
  const delivered = (): Promise<void> => until('everything is delivered', async () => (await street.pending()) === 0, 60_000, () => street.told());

  it('keeps the records while the city platform is away, and delivers each once and in order', async () => {
    const first = await story.enter(0);
    await delivered();
    const faults: FaultInput[] = [{ mode: 'down' }, { mode: 'hang' }, { mode: '500' }, { mode: 'lose-answer' }];
    let berth = 1;
    let leaves = 0;
    for (const fault of faults) {
      await street.city.setFault(fault);
      const visit = await story.enter(berth);
      if (fault.mode === 'down') await story.leave(first);
      if (fault.mode === 'down') leaves++;
      // An answer of 500 is a refusal: the one record may be what breaks the platform, and must not hold up the others.
      const part = fault.mode === '500' ? 'refused/qingdao' : 'platform/qingdao';
      await until(`${fault.mode} shows on the page`, async () => (await street.problems()).includes(part), 30_000, () => street.told());
      expect(await street.pending()).toBeGreaterThan(0);
      expect((await street.get<{ status: string }>('/healthz')).status).toBe('degraded');
      expect(street.said(fault.mode === '500' ? /city platform qingdao refuses/ : /city platform qingdao cannot be reached; records wait/).length).toBeGreaterThan(0);
      await street.city.clearFault();
      await delivered();
      await until('the page says that it is solved', async () => (await street.problems()).length === 0, 30_000, () => street.told());
      expect(solved(part)).toBe(true);
      // The berth is free for the next one.
      await until('a later picture', async () => (await street.analysedTo('cam-1')) > visit.enteredAt);
      await story.leave(visit);
      leaves++;
      berth = berth === 3 ? 1 : berth + 1;
    }
    await delivered();
    expectDelivered(leaves);
    // What was processed and not answered was sent again and taken once.
    expect(street.city.summary().duplicates).toBeGreaterThan(0);
  });

  it('loses nothing when PostgreSQL is killed again and again while cameras stream', async () => {
    const visit = await story.enter(0);
    const end = Date.now() + 6_000;
    let kills = 0;
    let lastPid = 0;
    while (Date.now() < end) {
      try {
        const pid = street.postgresPid;
        if (pid > 0 && pid !== lastPid) {
          process.kill(pid, 'SIGKILL');
          lastPid = pid;
          kills++;
        }
      } catch {
        // Its pid file is not written yet, or it is gone already.
      }
      await pause(50);
    }
    expect(kills).toBeGreaterThanOrEqual(2);
    expect(street.said(/the database cannot be used/).length, street.told()).toBeGreaterThan(0);
    await until('the database is back', async () => (await street.problems()).length === 0, 60_000, () => street.told());
    expect(solved('database'), street.told()).toBe(true);
    expect(street.said(/the PostgreSQL server runs again/).length).toBeGreaterThan(0);
    await until('analysis goes on', async () => (await street.analysedTo('cam-1')) > end, 60_000, () => street.told());
    await story.leave(visit);
    await story.enter(1);
    await delivered();
    expectDelivered(1);
    await street.stopService();

    const footage = await checkFootage(street.config, 'cam-1');
    expect(footage.gaps).toEqual([]);
    expect(footage.longestStep).toBeLessThan(100);
    expect(footage.spoilt).toEqual([]);
    expect(street.said(/is passed over/)).toEqual([]);
  });

  it('holds footage in memory while the disk does not take it, and writes it all once it does', async () => {
    const camera = join(street.config.dataFolder, 'footage', 'cameras', 'cam-1');
    const aside = `${camera}.aside`;
    await until('a sealed segment', async () => (await street.database.query('SELECT 1 FROM footage_segment')).rows.length > 0, 30_000);
    // Works as root too, whom no file mode keeps from writing: a file stands where the folder was.
    renameSync(camera, aside);
    writeFileSync(camera, '');
    try {
      await until('the page says that footage cannot be written', async () => (await street.problems()).includes('footage'), 30_000, () => street.told());
      expect(street.said(/footage cannot be written: .*a file stands where a folder is needed/).length).toBeGreaterThan(0);
      await pause(2_000);
    } finally {
      rmSync(camera);
      renameSync(aside, camera);
    }
    const back = Date.now();
    await until('footage is written again', async () => (await street.problems()).length === 0, 60_000, () => street.told());
    expect(solved('footage')).toBe(true);
    await until('footage from after the repair is analysed', async () => (await street.analysedTo('cam-1')) > back + 2_000, 60_000, () => street.told());
    await story.enter(0);
    await delivered();
    expectDelivered(0);
    await street.stopService();

    const footage = await checkFootage(street.config, 'cam-1');
    expect(footage.gaps).toEqual([]);
    expect(footage.longestStep).toBeLessThan(100);
    expect(footage.spoilt).toEqual([]);
    expect(footage.sealed).toBeGreaterThan(2);
    expect(street.said(/is passed over/)).toEqual([]);
  });

  it('says what is wrong when the whole footage folder goes away, and never writes into an empty one', async () => {
    const folder = join(street.config.dataFolder, 'footage');
    const aside = `${folder}.aside`;
    renameSync(folder, aside);
    // As an unmounted disk leaves it: an empty folder in its place.
    mkdirSync(folder);
    try {
      await until('the page says that footage cannot be written', async () => (await street.problems()).includes('footage'), 30_000, () => street.told());
    } finally {
      rmSync(folder, { recursive: true });
      renameSync(aside, folder);
    }
    await until('footage is written again', async () => (await street.problems()).length === 0, 60_000, () => street.told());
    await street.stopService();
    const footage = await checkFootage(street.config, 'cam-1');
    expect(footage.gaps).toEqual([]);
    expect(footage.longestStep).toBeLessThan(100);
    expect(footage.spoilt).toEqual([]);
  });
});
