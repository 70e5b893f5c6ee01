import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import { pictureHashes, probe } from '../simulators/camera/testing/clips.js';
import { Street, until } from './support/street.js';

const TOKEN = 'a-token-of-the-device-footage-test';
const FROM = 1_760_000_000_000;

/** The service on one media port for all streams: live pictures, a download and a playback of two cameras beside each other. */
describe.skipIf(!haveTool('ffmpeg') || !haveTool('ffprobe'))('what cameras recorded, over HTTP', () => {
  let street: Street;
  beforeEach(() => {
    street = new Street({ cameras: [{ transport: 'udp' }, { transport: 'tcp-passive', codec: 'h265' }] });
    street.config.http.token = TOKEN;
    street.config.gb28181.mediaMode = 'shared';
    street.config.gb28181.sharedMediaPort = 0;
  });
  afterEach(() => street.close());

  const call = async (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${street.url}${path}`, { method, headers: { authorization: `Bearer ${TOKEN}`, ...(body ? { 'content-type': 'application/json' } : {}) }, ...(body ? { body: JSON.stringify(body) } : {}) });

  it('is fetched and played back while the cameras are recorded', async () => {
    await street.start();
    await until('both stream', async () => (await street.get<{ stream: { state: string } }[]>('/api/cameras')).slice(0, 2).every((camera) => camera.stream.state === 'streaming'), 60_000, () => street.told());
    const made = (await (await call('POST', '/api/cameras/cam-2/device-recordings', { from: FROM, to: FROM + 4_000, speed: 8 })).json()) as { id: string };
    const again = await call('POST', '/api/cameras/cam-2/device-recordings', { from: FROM, to: FROM + 4_000 });
    expect(again.status).toBe(409);
    let state: { state: string; note: string | null; bytes: number } = { state: '', note: null, bytes: 0 };
    await until('it was fetched', async () => ['done', 'failed'].includes((state = await street.get(`/api/device-recordings/${made.id}`)).state), 60_000, () => JSON.stringify(state));
    expect(state).toMatchObject({ state: 'done', note: null });
    const file = await call('GET', `/api/device-recordings/${made.id}/file.mp4`);
    const bytes = Buffer.from(await file.arrayBuffer());
    expect(bytes.length).toBe(state.bytes);
    const path = join(street.folder, 'fetched.mp4');
    writeFileSync(path, bytes);
    expect(probe(path)).toMatchObject([{ codec_name: 'hevc', width: 640, height: 360 }]);
    expect(pictureHashes(path).length).toBeGreaterThanOrEqual(100);
    const part = await fetch(`${street.url}/api/device-recordings/${made.id}/file.mp4`, { headers: { range: 'bytes=4-7' } });
    expect([part.status, await part.text()]).toEqual([206, 'ftyp']);

    const playback = (await (await call('POST', '/api/cameras/cam-1/device-playbacks', { from: FROM, to: FROM + 600_000 })).json()) as { id: string };
    const reading = new AbortController();
    const stream = await fetch(`${street.url}/api/device-playbacks/${playback.id}/stream.mp4`, { signal: reading.signal });
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    let read = 0;
    while (read < 20_000) read += (await reader.read()).value?.length ?? 0;
    expect(((await (await call('PATCH', `/api/device-playbacks/${playback.id}`, { paused: true })).json()) as { state: string }).state).toBe('paused');
    reading.abort();
    await until('it ends with its reader', async () => (await street.get<{ state: string }>(`/api/device-playbacks/${playback.id}`)).state === 'ended');
    expect((await fetch(`${street.url}/api/cameras/cam-1/device-playbacks`, { method: 'POST' })).status).toBe(401);
    const cameras = await street.get<{ stream: { state: string; strangers: number; lastFailure: unknown } }[]>('/api/cameras');
    expect(cameras.slice(0, 2).map(({ stream: { state, strangers, lastFailure } }) => [state, strangers, lastFailure])).toEqual([['streaming', 0, null], ['streaming', 0, null]]);
  });
});
