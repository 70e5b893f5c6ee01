import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { jpegSize } from './jpeg-size.js';
import { readSnapshotName } from './snapshot-name.js';
import { SnapshotUploads } from './snapshot-uploads.js';

const CHANNEL = '34020000001310000001';
const NAME = `${CHANNEL}0220260105120000250${'01'}`;
/** Start, application segment, frame of 640 × 480, a scan, end. */
const JPEG = Buffer.from('ffd8ffe000104a46494600010100000100010000ffc0000b0801e0028001011100ffda0008010100003f00aabbccffd9', 'hex');

describe('the upload of snapshots', () => {
  let uploads: SnapshotUploads;
  beforeEach(async () => {
    uploads = new SnapshotUploads({ host: '127.0.0.1', port: 0, clock: systemClock, logger: silentLogger, maxBytes: 4096, maxSessions: 2 });
    await uploads.start();
  });
  afterEach(() => uploads.close());
  const send = (url: string, body: Uint8Array, headers: Record<string, string> = {}, method = 'POST'): Promise<number> => fetch(url, { method, body: Buffer.from(body), headers }).then(({ status }) => status);

  it.each<[string, (url: string) => Promise<number>]>([
    ['raw by POST, its name in a header', (url) => send(url, JPEG, { 'content-disposition': `attachment; filename="${NAME}.jpg"` })],
    ['raw by PUT, its name in the path', (url) => send(`${url}/${NAME}.jpg`, JPEG, {}, 'PUT')],
    ['in a form, after another field', (url) => send(url, Buffer.concat([Buffer.from(`--xx\r\nContent-Disposition: form-data; name="id"\r\n\r\n7\r\n--xx\r\nContent-Disposition: form-data; name="f"; filename="${NAME}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n`), JPEG, Buffer.from('\r\n--xx--\r\n')]), { 'content-type': 'multipart/form-data; boundary=xx' })],
  ])('takes one %s', async (_name, upload) => {
    const ticket = uploads.open(CHANNEL);
    expect(ticket.sessionId).toMatch(/^[A-Za-z0-9-]{32,128}$/);
    expect(await upload(uploads.url(ticket, '127.0.0.1'))).toBe(200);
    const picture = await ticket.picture;
    expect(picture).toMatchObject({ width: 640, height: 480, takenAt: Date.UTC(2026, 0, 5, 4) + 250 });
    expect(Buffer.from(picture.jpeg).equals(JPEG)).toBe(true);
  });

  it('refuses strangers, other methods, what is too large, what is no picture, and what is of another camera', async () => {
    const ticket = uploads.open(CHANNEL);
    const url = uploads.url(ticket, '127.0.0.1');
    expect(await send(url.slice(0, -1) + (url.endsWith('0') ? '1' : '0'), JPEG)).toBe(404);
    expect(await send(`http://127.0.0.1:${uploads.port}/`, JPEG)).toBe(404);
    expect(await fetch(url).then(({ status }) => status)).toBe(405);
    expect(await send(url, Buffer.alloc(5000))).toBe(413);
    expect(await send(url, Buffer.from('<html></html>'))).toBe(415);
    expect(await send(url, JPEG.subarray(0, JPEG.length - 2))).toBe(415);
    expect(await send(`${url}/${NAME.replace('0001310', '0001311')}.jpg`, JPEG)).toBe(415);
    expect(await send(url, JPEG)).toBe(200);
    ticket.cancel('over');
    expect(await send(url, JPEG)).toBe(404);
    await expect(ticket.picture).resolves.toMatchObject({ takenAt: null });
  });

  it('waits for no more than it can hold, and tells those who wait why it ended', async () => {
    const first = uploads.open(CHANNEL);
    uploads.open(CHANNEL);
    expect(() => uploads.open(CHANNEL)).toThrow(/2 snapshots are under way/);
    first.cancel('nobody came');
    await expect(first.picture).rejects.toThrow('nobody came');
    const next = uploads.open(CHANNEL);
    await uploads.close();
    await expect(next.picture).rejects.toThrow(/stopping/);
  });
});

it.each([
  ['ffd8', null],
  [JPEG.toString('hex').replace('ffc0', 'ffc4'), null],
  [JPEG.toString('hex').replace('01e00280', '00010001'), null],
  [JPEG.toString('hex'), { width: 640, height: 480 }],
  [`${JPEG.toString('hex')}0000`, { width: 640, height: 480 }],
])('the size of a JPEG', (hex, size) => {
  expect(jpegSize(Buffer.from(hex, 'hex'))).toEqual(size);
});

it('names of pictures say whose they are, and when', () => {
  expect(readSnapshotName(`/a/${NAME}.jpg`)).toEqual({ channelId: CHANNEL, takenAt: Date.UTC(2026, 0, 5, 4) + 250, number: 1 });
  expect([NAME.slice(1), NAME.replace('0220', '0320'), `${CHANNEL}022026023112000025001`, ''].map(readSnapshotName)).toEqual([null, null, null, null]);
});
