import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import type { ExportView } from '../../service/playback/exports/export-jobs.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { berthwatch } from './support/cli.js';
import { FootageStage, greyPictures, nearest, run, TOKEN } from './support/footage-stage.js';

const START = Date.parse('2026-01-05T10:00:00+08:00');
const SECOND = START + 40_000;
const FPS = 10;

interface Probe {
  streams: { codec_name: string; codec_tag_string: string; start_time: string; duration: string; nb_read_frames: string }[];
  format: { duration: string };
}

describe.skipIf(['ffmpeg', 'ffprobe', 'unzip'].map(haveTool).includes(false))('exports of footage', () => {
  const stage = new FootageStage();
  const bearer = { authorization: `Bearer ${TOKEN}` };
  let pictures: Buffer[];
  beforeAll(async () => {
    await stage.start();
    for (const codec of ['h264', 'h265'] as const) {
      const clip = makeTestClip(stage.folder, codec, { seconds: 10, gop: 20, fps: FPS, size: '320x240', quality: 18 });
      if (codec === 'h264') pictures = await greyPictures(clip);
      await stage.append(`cam-${codec}`, clip, START);
      await stage.append(`cam-${codec}`, clip, SECOND);
    }
    stage.cameras = [{ id: 'cam-h264', name: '香港中路 1 号' }];
    const picture = await sharp({ create: { width: 64, height: 48, channels: 3, background: '#123456' } }).jpeg().toBuffer();
    stage.pictures.set('p1', picture);
    stage.visits = [
      {
        uid: 'visit-1', cameraId: 'cam-h264', berthId: 'b1', berthNumber: '101', roadSection: '香港中路', lotCode: 'L', plate: { status: 'read', text: '鲁B12345', colour: 'blue', confidence: 1 }, vehicleType: 'small', bodyColour: 'white',
        enteredAt: START + 3_000, leftAt: SECOND + 5_000, presentAtStart: false, confidence: 1, revision: 0, feeFen: null, deliveries: [],
        pictures: [{ id: 'p1', kind: 'panorama', role: 'parked', takenAt: START + 4_000, bytes: picture.length, width: 64, height: 48, sha256: createHash('sha256').update(picture).digest('hex') }],
      },
    ];
    await stage.serve();
  });
  afterAll(() => stage.close());

  const post = (body: object): Promise<Response> => fetch(`${stage.url}/api/exports`, { method: 'POST', headers: { ...bearer, 'content-type': 'application/json' }, body: JSON.stringify({ requestedBy: '张三', ...body }) });

  async function finished(body: object): Promise<ExportView> {
    const response = await post(body);
    expect(response.status).toBe(202);
    let view = (await response.json()) as ExportView;
    for (const until = Date.now() + 120_000; view.state === 'waiting' || view.state === 'running'; await new Promise((resolve) => setTimeout(resolve, 100))) {
      if (Date.now() > until) throw new Error('the export does not end');
      view = (await (await stage.get(`/api/exports/${view.id}`)).json()) as ExportView;
    }
    return view;
  }

  async function download(view: ExportView): Promise<string> {
    expect(view).toMatchObject({ state: 'done', progress: 1, error: null });
    const link = (await (await stage.get(`/api/exports/${view.id}/link`)).json()) as { file: string };
    const bytes = Buffer.from(await (await fetch(`${stage.url}${link.file}`)).arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(view.sha256);
    const path = join(stage.folder, view.file as string);
    writeFileSync(path, bytes);
    return path;
  }

  const probe = async (path: string): Promise<Probe> => JSON.parse((await run('ffprobe', ['-v', 'warning', '-count_frames', '-show_streams', '-show_format', '-of', 'json', path])).toString()) as Probe;

  it.each(['h264', 'h265'] as const)('cut a clip to the millisecond without coding anything anew, header first (%s)', async (codec) => {
    const view = await finished({ kind: 'clip', camera: `cam-${codec}`, from: START + 3_300, to: '2026-01-05T10:00:07.250+08:00' });
    const path = await download(view);
    const { streams, format } = await probe(path);
    expect(streams).toHaveLength(1);
    expect(streams[0]).toMatchObject({ codec_name: codec === 'h264' ? 'h264' : 'hevc', codec_tag_string: codec === 'h264' ? 'avc1' : 'hvc1' });
    expect(Number(format.duration)).toBeCloseTo(3.95, 2);
    // The edit list hides what stands between the key frame and the moment asked for.
    const shown = await greyPictures(path);
    expect(nearest(shown[0] as Buffer, pictures).index).toBe(33);
    expect(nearest(shown[20] as Buffer, pictures).index).toBe(53);
    const bytes = (await import('node:fs')).readFileSync(path);
    expect(bytes.indexOf('moov')).toBeLessThan(bytes.indexOf('mdat'));
    expect(view.facts).toMatchObject({ sha256: view.sha256, durationMs: 3_950, missing: [], video: { codec, reencoded: false }, stretches: [{ fileMs: 0, from: START + 3_300, to: START + 7_250 }] });
  });

  it('go on behind a gap at once, and say where', async () => {
    const view = await finished({ kind: 'clip', camera: 'cam-h264', from: START + 6_000, to: SECOND + 4_000 });
    const shown = await greyPictures(await download(view));
    expect(shown).toHaveLength(80);
    expect(nearest(shown[39] as Buffer, pictures).index).toBe(99);
    expect(nearest(shown[40] as Buffer, pictures).index).toBe(0);
    expect(view.facts).toMatchObject({
      durationMs: 8_000,
      stretches: [{ fileMs: 0, from: START + 6_000, to: START + 10_000 }, { fileMs: 4_000, from: SECOND, to: SECOND + 4_000, fromText: '2026-01-05T10:00:40.000+08:00' }],
      missing: [{ from: START + 10_000, to: SECOND, reason: 'the test took the camera away' }],
    });
  });

  it('burn a watermark with the running time into every picture', async () => {
    const plain = await greyPictures(await download(await finished({ kind: 'clip', camera: 'cam-h264', from: START + 1_000, to: START + 4_000 })));
    const view = await finished({ kind: 'clip', camera: 'cam-h264', from: START + 1_000, to: START + 4_000, watermark: '仅供核查 张三' });
    const path = await download(view);
    expect((await probe(path)).streams[0]).toMatchObject({ codec_name: 'h264', codec_tag_string: 'avc1' });
    const marked = await greyPictures(path);
    expect(marked).toHaveLength(plain.length);
    // Below the band the picture is as it was; in the band it is dark, and its text changes once a second.
    const part = (picture: Buffer, from: number, to: number): Buffer => picture.subarray(from * 64, to * 64);
    const difference = (a: Buffer, b: Buffer): number => a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] as number)), 0) / a.length;
    for (const i of [0, 12, 29]) {
      expect(difference(part(marked[i] as Buffer, 20, 48), part(plain[i] as Buffer, 20, 48))).toBeLessThan(4);
      expect(difference(part(marked[i] as Buffer, 0, 6), part(plain[i] as Buffer, 0, 6))).toBeGreaterThan(15);
    }
    if (process.env.SCREENSHOTS !== undefined) await run('ffmpeg', ['-v', 'error', '-y', '-i', path, '-frames:v', '1', join(process.env.SCREENSHOTS, 'watermark.png')]);
  });

  it('put a visit into one ZIP with a manifest that fits it', async () => {
    const view = await finished({ kind: 'visit', visit: 'visit-1', before: 2, after: 3 });
    const check = async (path: string): Promise<void> => {
      expect((await run('unzip', ['-t', path])).toString()).toMatch(/No errors detected/);
      const manifest = JSON.parse((await run('unzip', ['-p', path, 'manifest.json'])).toString()) as { visit: string; files: { name: string; sha256: string; bytes: number }[]; absent: unknown[] };
      expect(manifest).toMatchObject({ visit: 'visit-1', absent: [] });
      expect(manifest.files.map((file) => file.name)).toEqual(['footage/入场.mp4', 'footage/入场.mp4.json', 'footage/离场.mp4', 'footage/离场.mp4.json', expect.stringMatching(/^pictures\/01-\d+-parked-p1\.jpg$/), 'record.json']);
      for (const file of manifest.files) {
        const bytes = await run('unzip', ['-p', path, file.name]);
        expect([createHash('sha256').update(bytes).digest('hex'), bytes.length]).toEqual([file.sha256, file.bytes]);
      }
    };
    await check(await download(view));
    const direct = await stage.get('/api/visits/visit-1/export.zip?before=2&after=3');
    expect(direct.headers.get('content-disposition')).toContain(encodeURIComponent('鲁B12345'));
    const path = join(stage.folder, 'direct.zip');
    writeFileSync(path, Buffer.from(await direct.arrayBuffer()));
    await check(path);
    expect((await stage.get('/api/visits/visit-2/export.zip')).status).toBe(404);
  });

  it('come to the command line too, checked against their hash', async () => {
    const config = join(stage.folder, 'cli.yaml');
    writeFileSync(config, `http: { token: ${TOKEN} }\n`);
    const out = join(stage.folder, 'from-cli.mp4');
    const common = ['--config', config, '--url', stage.url, '--by', '李四'];
    const made = await berthwatch(['footage', 'export', '--camera', 'cam-h264', '--from', '2026-01-05 10:00:08', '--to', '2026-01-05T10:00:42+08:00', '--out', out, ...common]);
    expect([made.code, made.errors]).toEqual([0, '']);
    expect(made.lines[1]).toMatch(/^missing: 2026-01-05T10:00:10.000\+08:00 to 2026-01-05T10:00:40.000\+08:00: the test took the camera away$/);
    await run('sha256sum', ['--check', '--status', `${out}.sha256`], stage.folder);
    expect(await greyPictures(out)).toHaveLength(40);
    const again = await berthwatch(['footage', 'export', '--camera', 'cam-h264', '--from', '0', '--to', '1', '--out', out, ...common]);
    expect([again.code, again.errors]).toEqual([1, expect.stringMatching(/exists already/)]);
    const zip = join(stage.folder, 'from-cli.zip');
    expect((await berthwatch(['visit', 'export', 'visit-1', '--out', zip, ...common])).errors).toBe('');
    expect((await run('unzip', ['-t', zip])).toString()).toMatch(/No errors detected/);
    expect((await berthwatch(['footage', 'export', '--camera', 'cam-h264', '--from', '1', '--to', '2', '--out', `${out}2`, ...common])).errors).toMatch(/has no footage between/);
  });

  it('can be cancelled and deleted, are refused where there is nothing or no room, and leave an audit', async () => {
    expect((await fetch(`${stage.url}/api/exports`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status).toBe(401);
    expect((await post({ kind: 'clip', camera: 'cam-h264', from: START - 60_000, to: START - 30_000 })).status).toBe(404);
    expect((await post({ kind: 'clip', camera: 'cam-h264', from: START, to: START - 1 })).status).toBe(400);
    const long = (await (await post({ kind: 'clip', camera: 'cam-h264', from: START, to: SECOND + 10_000, watermark: 'x' })).json()) as ExportView;
    expect((await fetch(`${stage.url}/api/exports/${long.id}`, { method: 'DELETE', headers: bearer })).status).toBe(204);
    expect(await (await stage.get(`/api/exports/${long.id}`)).json()).toMatchObject({ state: 'cancelled' });
    expect((await stage.get(`/api/exports/${long.id}/file`)).status).toBe(409);
    const done = await finished({ kind: 'clip', camera: 'cam-h264', from: START, to: START + 2_000 });
    expect((await stage.get(`/api/exports/${done.id}/file`)).headers.get('x-sha256')).toBe(done.sha256);
    expect((await fetch(`${stage.url}/api/exports/${done.id}`, { method: 'DELETE', headers: bearer })).status).toBe(204);
    expect((await stage.get(`/api/exports/${done.id}`)).status).toBe(404);
    const audit = (await (await stage.get('/api/exports/audit?limit=500')).json()) as { event: string; who: string; exportId: string; sha256: string | null }[];
    expect(audit.filter((line) => line.exportId === done.id).map((line) => line.event).reverse()).toEqual(['requested', 'made', 'downloaded', 'deleted']);
    expect(audit.find((line) => line.exportId === done.id && line.event === 'made')).toMatchObject({ who: '张三', sha256: done.sha256 });
    expect(audit.filter((line) => line.exportId === long.id).map((line) => line.event).reverse()).toEqual(['requested', 'cancelled']);
  });
});
