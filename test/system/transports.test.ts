import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import { MEDIA_TRANSPORTS } from '../../ingest/media/media-transport.js';
import { Street, until } from './support/street.js';

interface Camera {
  id: string;
  stream: { state: string; codec: string | null; strangers: number; diagnosis: string | null };
}

/** All but one of them send sound; of the last one it is switched off. */
const CAMERAS = MEDIA_TRANSPORTS.flatMap((transport) => [
  { transport, sound: 'g711a' as const },
  { transport, codec: 'h265' as const, ...(transport === 'udp' ? {} : { sound: 'g711u' as const }), audio: transport !== 'tcp-active' },
]);

/** Every way that media can come, side by side in one service, each with both codecs. */
describe.skipIf(!haveTool('ffmpeg'))('media transports', () => {
  let street: Street;
  beforeEach(() => {
    street = new Street({ cameras: CAMERAS });
  });
  afterEach(() => street.close());

  it('all record', async () => {
    await street.start();
    const cameras = async (): Promise<Camera[]> => ((await (await fetch(`${street.url}/api/cameras`)).json()) as Camera[]).slice(0, CAMERAS.length);
    let all: Camera[] = [];
    await until('all six streams', async () => (all = await cameras()).every((camera) => camera.stream.state === 'streaming'), 60_000, () => JSON.stringify(all.map((camera) => camera.stream), null, 1));
    expect(all.map((camera) => camera.stream.codec)).toEqual(['h264', 'h265', 'h264', 'h265', 'h264', 'h265']);
    expect(all.map((camera) => camera.stream.strangers)).toEqual([0, 0, 0, 0, 0, 0]);
    for (const { id } of all) {
      const before = await street.analysedTo(id);
      await until(`later pictures of ${id}`, async () => (await street.analysedTo(id)) > before + 2_000);
    }
    for (const [i, { sound, audio = true }] of (CAMERAS as { sound?: string; audio?: boolean }[]).entries()) {
      const folder = join(street.folder, 'data', 'footage', 'cameras', `cam-${i + 1}`);
      const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
      expect(files.length).toBeGreaterThan(0);
      expect(files.some((bytes) => bytes.includes('fLaC')), `sound of cam-${i + 1}`).toBe(sound !== undefined && audio);
    }
  });
});
