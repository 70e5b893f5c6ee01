import { constants, createVerify, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { ManualClock } from '../../base/manual-clock.js';
import type { Visit } from '../../parking/model/visit.js';
import type { PlatformMessage } from '../message.js';
import { readPrivateKey, readPublicKey } from '../wire/rsa-blocks.js';
import { QingdaoPlatform } from './adapter.js';
import { readAnswer } from './answer.js';
import { toCall } from './records.js';

const visit: Visit = {
  id: '370200A0110120260101120000123',
  uid: '370200A0110120260101120000123',
  cameraId: 'cam',
  berthId: 'b101',
  plate: { status: 'read', text: '鲁BD12345', colour: 'green', confidence: 0.99 },
  vehicleType: 'small',
  bodyColour: 'white',
  enteredAt: Date.UTC(2026, 0, 1, 4, 0, 0, 123),
  leftAt: null,
  presentAtStart: false,
  confidence: 0.9,
};
const counts = { totalBerths: 6, freeBerths: 2 };
const enter: PlatformMessage = { kind: 'enter', lotCode: '370200A01', visit, counts };
const facts = { now: Date.UTC(2026, 0, 1, 4, 0, 9), retransmission: false };

describe('toCall', () => {
  it('writes an enter record as the field table of A.4.1.1.4 has it', () => {
    expect(toCall(enter, facts)).toEqual({
      endpoint: 'uploadCarInData',
      fields: {
        uid: visit.uid,
        arriveID: `${visit.uid}A`,
        plateNo: '鲁BD12345',
        plateColor: 5,
        carType: 1,
        parkingCode: '370200A01',
        totalBerthNum: 6,
        freeBerthNum: 2,
        arriveTime: '2026-01-01 12:00:00',
        parkingType: 1,
        retransFlag: 0,
        uploadTime: '2026-01-01 12:00:09',
      },
    });
  });

  it('writes leave, correction, photo and heartbeat with exactly their tables’ fields', () => {
    const left = { ...visit, leftAt: visit.enteredAt + 3_600_000 };
    const names = (message: PlatformMessage): string[] => Object.keys(toCall(message, facts).fields).sort();
    expect(names({ kind: 'leave', lotCode: 'L', visit: left, counts, chargeFee: 800, shouldPay: 800 })).toEqual(
      ['uid', 'endID', 'plateNo', 'plateColor', 'carType', 'parkingCode', 'totalBerthNum', 'freeBerthNum', 'arriveTime', 'parkingType', 'endTime', 'retransFlag', 'uploadTime', 'chargeFee', 'shouldPay'].sort(),
    );
    expect(names({ kind: 'correction', lotCode: 'L', visit, counts, revision: 1 })).toEqual(
      ['uid', 'arriveID', 'plateNo', 'plateColor', 'carType', 'operateType', 'parkingCode', 'totalBerthNum', 'freeBerthNum', 'arriveTime', 'parkingType', 'retransFlag', 'uploadTime'].sort(),
    );
    expect(names({ kind: 'photo', lotCode: 'L', uid: 'u', photoId: 'p', of: 'enter', takenAt: 0, name: 'n.jpg', objectKey: 'k' })).toEqual(['uid', 'parkingCode', 'photoID', 'time', 'type', 'name', 'uploadTime'].sort());
    expect(names({ kind: 'heartbeat', lotCode: 'L', at: 0, entered: 1, left: 2, photos: 3 })).toEqual(['parkingCode', 'arriveNum', 'leaveNum', 'photoNum', 'uploadTime', 'remark'].sort());
  });

  it('tells no plate from an unread one', () => {
    const plateNo = (plate: Visit['plate']): unknown => toCall({ kind: 'enter', lotCode: 'L', visit: { ...visit, plate }, counts }, facts).fields.plateNo;
    expect(plateNo({ status: 'none' })).toBe('无车牌');
    expect(plateNo({ status: 'unread' })).toBe('未识别');
  });
});

describe('readAnswer', () => {
  it('reads resultCode as string and as number', () => {
    expect(readAnswer(200, '{"resultCode":"200","msg":"ok"}').outcome).toBe('delivered');
    expect(readAnswer(200, '{"srvTime":"2026-01-01 12:00:00","resultCode":200}')).toMatchObject({ outcome: 'delivered', platformTime: Date.UTC(2026, 0, 1, 4) });
    expect(readAnswer(200, '{"resultCode":"400","msg":"缺失参数"}')).toEqual({ outcome: 'refused', code: '400', reason: '缺失参数' });
  });

  it('takes anything else for a platform that did not answer', () => {
    for (const body of ['', '<html>', '[]', '{}', 'null', '{"resultCode":{}}']) expect(readAnswer(502, body).outcome).toBe('unreachable');
  });
});

describe('QingdaoPlatform', () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  const platformKeys = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const userKeys = generateKeyPairSync('rsa', { modulusLength: 1024 });

  async function listen(handler: (form: URLSearchParams, url: string) => string | null): Promise<string> {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const answer = handler(new URLSearchParams(Buffer.concat(chunks).toString()), request.url ?? '');
        if (answer === null) request.socket.destroy();
        else response.end(answer);
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  function adapter(baseUrl: string): QingdaoPlatform {
    return new QingdaoPlatform({
      id: 'qd',
      baseUrl,
      accessId: 'A1',
      platformPublicKey: readPublicKey(platformKeys.publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'platform key'),
      // Bare base64, as such keys are often handed out.
      userPrivateKey: readPrivateKey(userKeys.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'), 'user key'),
      timeoutMs: 2_000,
      clock: new ManualClock(facts.now),
    });
  }
  const context = { retransmission: false, signal: new AbortController().signal, readObject: () => Promise.resolve(new Uint8Array([0xff, 0xd8, 0xff, 0xd9])) };

  it('sends a cipher in 128-byte blocks that the platform key opens, signed by the user key', async () => {
    let seen: { url: string; fields: unknown; verified: boolean; keys: string[] } | null = null;
    const baseUrl = await listen((form, url) => {
      const cipherText = form.get('cipher') ?? '';
      const cipher = Buffer.from(cipherText, 'base64');
      const blocks: Buffer[] = [];
      for (let at = 0; at < cipher.length; at += 128) {
        const padded = privateDecrypt({ key: platformKeys.privateKey, padding: constants.RSA_NO_PADDING }, cipher.subarray(at, at + 128));
        blocks.push(padded.subarray(padded.indexOf(0, 2) + 1));
      }
      seen = {
        url,
        fields: JSON.parse(Buffer.concat(blocks).toString('utf8')),
        verified: createVerify('RSA-SHA1').update(cipherText).verify(userKeys.publicKey, form.get('sign') ?? '', 'base64'),
        keys: [...form.keys()],
      };
      return '{"resultCode":"200","msg":"ok"}';
    });
    expect(await adapter(baseUrl).deliver(enter, context)).toMatchObject({ outcome: 'delivered' });
    expect(seen).toEqual({ url: '/api/v2/cp/uploadCarInData', fields: toCall(enter, facts).fields, verified: true, keys: ['accessID', 'cipher', 'sign'] });
  });

  it('sends a picture as a key of its own and refuses one that is too large before sending it', async () => {
    let file: string | null = null;
    const baseUrl = await listen((form) => {
      file = form.get('file');
      return '{"resultCode":"200"}';
    });
    const photo: PlatformMessage = { kind: 'photo', lotCode: 'L', uid: 'u', photoId: 'p', of: 'enter', takenAt: 0, name: 'n.jpg', objectKey: 'k' };
    expect((await adapter(baseUrl).deliver(photo, context)).outcome).toBe('delivered');
    expect(file).toBe('/9j/2Q==');
    const large = await adapter(baseUrl).deliver(photo, { ...context, readObject: () => Promise.resolve(new Uint8Array(512 * 1024 + 1)) });
    expect(large).toMatchObject({ outcome: 'refused', code: 'LOCAL' });
    const missing = await adapter(baseUrl).deliver(photo, { ...context, readObject: () => Promise.reject(new Error('no such object')) });
    expect(missing).toMatchObject({ outcome: 'unreachable' });
  });

  it('calls a lost answer, a refused connection and a silent platform unreachable', async () => {
    const lost = await adapter(await listen(() => null)).deliver(enter, context);
    expect(lost).toMatchObject({ outcome: 'unreachable' });
    expect(await adapter('http://127.0.0.1:9').deliver(enter, context)).toMatchObject({ outcome: 'unreachable' });
    const silent = new QingdaoPlatform({ id: 'qd', baseUrl: await listenSilently(), accessId: 'A', platformPublicKey: platformKeys.publicKey, userPrivateKey: userKeys.privateKey, timeoutMs: 50, clock: systemClock });
    expect(await silent.deliver(enter, context)).toMatchObject({ outcome: 'unreachable' });
  });

  it('gives up on a platform that hangs, whatever the garbage collector takes meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const silent = new QingdaoPlatform({ id: 'qd', baseUrl: await listenSilently(), accessId: 'A', platformPublicKey: platformKeys.publicKey, userPrivateKey: userKeys.privateKey, timeoutMs: 200, clock: systemClock });
    const timer = setInterval(collect, 10);
    try {
      expect(await silent.deliver(enter, context)).toMatchObject({ outcome: 'unreachable', reason: expect.stringContaining('no answer in 0.2 s') as string });
    } finally {
      clearInterval(timer);
    }
  });

  async function listenSilently(): Promise<string> {
    server = createServer(() => undefined);
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('names the key that cannot be used', () => {
    expect(() => readPublicKey('nonsense', 'platforms.qd.platformPublicKeyFile')).toThrow(/platforms\.qd\.platformPublicKeyFile/);
  });
});
