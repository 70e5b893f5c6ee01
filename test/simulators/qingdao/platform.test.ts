import { execFile, spawn } from 'node:child_process';
import { constants, createSign, publicEncrypt } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chinaDateTime, parseChinaDateTime } from '../common/local-time.js';
import type { QingdaoConfigInput } from './config.js';
import { unpadPkcs1 } from './envelope.js';
import { generateKeys } from './keys.js';
import { plateProblem } from './plate-grammar.js';
import { QingdaoPlatform } from './platform.js';

const keys = generateKeys();
const strangers = generateKeys();
const ACCESS = 'berth-test';

/** A JPEG of 16×8 grey pixels in as few segments as the check looks at: SOI, SOF0, filler, EOI. */
function jpeg(size = 200): string {
  const head = Buffer.from([0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 8, 0, 16, 1, 1, 0x11, 0]);
  return Buffer.concat([head, Buffer.alloc(size - head.length - 2, 1), Buffer.from([0xff, 0xd9])]).toString('base64');
}

const enter = {
  uid: '100101120240701091005123', arriveID: 'A1', plateNo: '鲁B01C01', plateColor: 1, carType: 1, parkingCode: '1001', totalBerthNum: 150, freeBerthNum: 70,
  arriveTime: '2024-07-01 09:10:05', parkingType: 1, retransFlag: 0, uploadTime: '2024-07-01 09:10:11',
};
const modify = { ...enter, plateNo: '鲁BD12345', plateColor: 5, operateType: 1 };
const { arriveID: _arrive, ...withoutArrive } = enter;
const leave = { ...withoutArrive, endID: 'E1', endTime: '2024-07-01 12:10:11', chargeFee: 800, shouldPay: 800 };
const photo = { uid: enter.uid, parkingCode: '1001', photoID: 'P1', time: '2024-07-01 09:10:11', type: 1, name: '01.jpg', uploadTime: '2024-07-01 09:10:12' };
const heartbeat = { parkingCode: '1001', arriveNum: 1, leaveNum: 0, photoNum: 0, uploadTime: '2024-07-01 09:15:00' };

interface Answer {
  status: number;
  resultCode: string;
  msg: string;
  srvTime?: string;
}

/** Encrypts and signs by hand: blocks of 117 bytes, SHA1WithRSA over the base64 text. */
function seal(text: string | Buffer, options: { platformKey?: string; userKey?: string } = {}): { cipher: string; sign: string } {
  const bytes = Buffer.from(text as string);
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 117) {
    blocks.push(publicEncrypt({ key: options.platformKey ?? keys.platform.publicKey, padding: constants.RSA_PKCS1_PADDING }, bytes.subarray(at, at + 117)));
  }
  const cipher = Buffer.concat(blocks).toString('base64');
  return { cipher, sign: createSign('RSA-SHA1').update(cipher).sign(options.userKey ?? keys.user.privateKey, 'base64') };
}

describe('simulated Qingdao platform', () => {
  let city: QingdaoPlatform;
  let folder: string;

  const make = async (extra: Partial<QingdaoConfigInput> = {}): Promise<QingdaoPlatform> => {
    const made = new QingdaoPlatform({ users: [{ accessId: ACCESS, publicKey: keys.user.publicKey }], privateKey: keys.platform.privateKey, ...extra });
    await made.start();
    return made;
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'qingdao-sim-'));
    city = await make();
  });
  afterEach(async () => {
    await city.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function post(path: string, form: Record<string, string> | string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${city.baseUrl}/api/v2/cp/${path}`, { method: 'POST', body: typeof form === 'string' ? form : new URLSearchParams(form), ...init });
    return { status: response.status, ...((await response.json()) as Omit<Answer, 'status'>) };
  }
  const upload = (path: string, parameters: unknown, extra: Record<string, string> = {}): Promise<Answer> =>
    post(path, { accessID: ACCESS, ...seal(JSON.stringify(parameters)), ...extra });

  it('takes a visit from enter to leave with its pictures, and shows them', async () => {
    expect(await upload('uploadCarInData', enter)).toEqual({ status: 200, resultCode: '200', msg: '操作成功' });
    expect((await upload('uploadPhoto', photo, { file: jpeg() })).resultCode).toBe('200');
    expect((await upload('uploadModifyCarInData', modify)).resultCode).toBe('200');
    expect((await upload('uploadCarOutData', { ...leave, plateNo: modify.plateNo, plateColor: 5 })).resultCode).toBe('200');
    expect((await upload('uploadPhoto', { ...photo, photoID: 'P2', type: 2 }, { file: jpeg(300) })).resultCode).toBe('200');
    expect(city.summary()).toEqual({ enters: 1, leaves: 1, modifications: 1, photos: 2, heartbeats: 0, duplicates: 0, refused: 0 });
    const admin = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${city.adminPort}/admin/${path}`);
    const [record] = (await (await admin('records')).json()) as { uid: string; current: { plateNo: string }; leave: { endID: string }; enterOrder: number; leaveOrder: number }[];
    expect(record).toMatchObject({ uid: enter.uid, current: { plateNo: '鲁BD12345' }, leave: { endID: 'E1' }, enterOrder: 1, leaveOrder: 4 });
    expect(await (await admin('photos')).json()).toMatchObject([{ photoId: 'P1', bytes: 200, width: 16, height: 8, order: 2 }, { photoId: 'P2', bytes: 300, order: 5 }]);
    expect(Buffer.from(await (await admin('photos/P2')).arrayBuffer()).toString('base64')).toBe(jpeg(300));
    expect((await admin('nothing')).status).toBe(404);
  });

  it('answers a heartbeat with its clock, and compares the counts', async () => {
    await upload('uploadCarInData', enter);
    const answer = await upload('uploadHeartbeat', { ...heartbeat, remark: '' });
    expect(answer.resultCode).toBe('200');
    expect(Math.abs(parseChinaDateTime(answer.srvTime!)! - Date.now())).toBeLessThan(5000);
    expect(city.heartbeats()[0]).toMatchObject({ fields: { arriveNum: 1 }, counted: { arriveNum: 0 } });
  });

  describe('envelope', () => {
    it.each([
      { name: 'no accessID', form: () => ({ ...seal('{}') }), wrong: 'accessID: missing', code: '400' },
      { name: 'no cipher', form: () => ({ accessID: ACCESS, sign: seal('{}').sign }), wrong: 'cipher: missing', code: '400' },
      { name: 'no sign', form: () => ({ accessID: ACCESS, cipher: seal('{}').cipher }), wrong: 'sign: missing', code: '400' },
      { name: 'an unknown accessID', form: () => ({ accessID: 'nobody', ...seal('{}') }), wrong: 'accessID: unknown', code: '500' },
      { name: 'a stranger’s signature', form: () => ({ accessID: ACCESS, ...seal('{}', { userKey: strangers.user.privateKey }) }), wrong: 'sign: does not verify', code: '500' },
      { name: 'the signature of another cipher', form: () => ({ accessID: ACCESS, cipher: seal('{}').cipher, sign: seal('{"a":1}').sign }), wrong: 'sign: does not verify', code: '500' },
      { name: 'a cipher for another platform', form: () => ({ accessID: ACCESS, ...seal('{"a":"long enough"}', { platformKey: strangers.platform.publicKey }) }), wrong: 'cipher: block 1 cannot be decrypted', code: '500' },
      { name: 'hexadecimal in place of base64', form: () => ({ accessID: ACCESS, cipher: 'abc', sign: 'abcd' }), wrong: 'cipher: not base64', code: '400' },
      { name: 'text that is not JSON', form: () => ({ accessID: ACCESS, ...seal('uid=1') }), wrong: 'not JSON', code: '400' },
      { name: 'text that is not UTF-8', form: () => ({ accessID: ACCESS, ...seal(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])) }), wrong: 'not UTF-8', code: '500' },
      { name: 'an array', form: () => ({ accessID: ACCESS, ...seal('[]') }), wrong: 'not a JSON object', code: '400' },
      { name: 'plain parameters beside the cipher', form: () => ({ accessID: ACCESS, ...seal('{}'), uid: '1' }), wrong: 'uid: unknown', code: '400' },
    ])('refuses $name', async ({ form, wrong, code }) => {
      const answer = await post('uploadCarInData', form() as Record<string, string>);
      expect([answer.resultCode, answer.msg]).toEqual([code, expect.stringContaining(wrong)]);
      expect(city.records()).toHaveLength(0);
    });

    it('refuses half a block, and says so when + was not percent-encoded', async () => {
      const { cipher } = seal('{}');
      const half = Buffer.from(cipher, 'base64').subarray(0, 100).toString('base64');
      const sign = createSign('RSA-SHA1').update(half).sign(keys.user.privateKey, 'base64');
      expect((await post('uploadCarInData', { accessID: ACCESS, cipher: half, sign })).msg).toContain('whole blocks of 128');
      const raw = await post('uploadCarInData', `accessID=${ACCESS}&cipher=ab+d&sign=abcd`, { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
      expect(raw.msg).toContain("'+' must be percent-encoded");
    });

    it('refuses other methods, content types, interfaces and enormous bodies', async () => {
      expect((await (await fetch(`${city.baseUrl}/api/v2/cp/uploadCarInData`)).json()) as Answer).toMatchObject({ resultCode: '400', msg: expect.stringContaining('POST') as string });
      expect((await post('uploadCarInData', '{}', { headers: { 'content-type': 'application/json' } })).msg).toContain('Content-Type');
      expect((await post('uploadEverything', {})).status).toBe(404);
      expect((await post('uploadPhoto', { accessID: ACCESS, file: 'A'.repeat(5 << 20) })).msg).toContain('larger than');
    });

    it('takes a signature over the bytes only when told to', async () => {
      const { cipher } = seal(JSON.stringify(enter));
      const sign = createSign('RSA-SHA1').update(Buffer.from(cipher, 'base64')).sign(keys.user.privateKey, 'base64');
      expect((await post('uploadCarInData', { accessID: ACCESS, cipher, sign })).resultCode).toBe('500');
      await city.close();
      city = await make({ signatureCovers: 'bytes' });
      expect((await post('uploadCarInData', { accessID: ACCESS, cipher, sign })).resultCode).toBe('200');
    });

    it('unpads PKCS#1 by the letter', () => {
      const padded = (zeroAt: number): Buffer => {
        const block = Buffer.alloc(128, 7);
        block[0] = 0;
        block[1] = 2;
        if (zeroAt > 0) block[zeroAt] = 0;
        return block;
      };
      expect(unpadPkcs1(padded(10))).toHaveLength(117);
      expect(unpadPkcs1(padded(127))).toHaveLength(0);
      expect(unpadPkcs1(padded(9))).toBeNull();
      expect(unpadPkcs1(padded(-1))).toBeNull();
      expect(unpadPkcs1(Buffer.alloc(128, 1))).toBeNull();
    });
  });

  describe('field tables', () => {
    const cases: { name: string; path: string; parameters: Record<string, unknown>; wrong: string; file?: string }[] = [
      ...Object.keys(enter).map((field) => ({ name: `enter without ${field}`, path: 'uploadCarInData', parameters: { ...enter, [field]: undefined }, wrong: `${field}: missing` })),
      ...Object.keys(leave).map((field) => ({ name: `leave without ${field}`, path: 'uploadCarOutData', parameters: { ...leave, [field]: undefined }, wrong: `${field}: missing` })),
      ...Object.keys(modify).map((field) => ({ name: `modify without ${field}`, path: 'uploadModifyCarInData', parameters: { ...modify, [field]: undefined }, wrong: `${field}: missing` })),
      ...Object.keys(photo).map((field) => ({ name: `photo without ${field}`, path: 'uploadPhoto', parameters: { ...photo, [field]: undefined }, wrong: `${field}: missing`, file: jpeg() })),
      ...Object.keys(heartbeat).map((field) => ({ name: `heartbeat without ${field}`, path: 'uploadHeartbeat', parameters: { ...heartbeat, [field]: undefined }, wrong: `${field}: missing` })),
      { name: 'an unknown field', path: 'uploadCarInData', parameters: { ...enter, colour: 'red' }, wrong: 'colour: unknown parameter' },
      { name: 'a retransFlag with a photo', path: 'uploadPhoto', parameters: { ...photo, retransFlag: 1 }, wrong: 'retransFlag: unknown parameter', file: jpeg() },
      { name: 'an empty string', path: 'uploadCarInData', parameters: { ...enter, uid: '' }, wrong: 'uid: missing' },
      { name: 'null', path: 'uploadCarInData', parameters: { ...enter, plateNo: null }, wrong: 'plateNo: missing' },
      { name: 'a number for a string', path: 'uploadCarInData', parameters: { ...enter, uid: 12 }, wrong: 'uid: must be a string' },
      { name: 'a string for an integer', path: 'uploadCarInData', parameters: { ...enter, plateColor: '1' }, wrong: 'plateColor: must be an integer' },
      { name: 'a fraction', path: 'uploadCarOutData', parameters: { ...leave, chargeFee: 800.5 }, wrong: 'chargeFee: must be an integer' },
      { name: 'a negative number', path: 'uploadCarInData', parameters: { ...enter, freeBerthNum: -1 }, wrong: 'freeBerthNum: must not be negative' },
      { name: 'a uid of 61 characters', path: 'uploadCarInData', parameters: { ...enter, uid: 'u'.repeat(61) }, wrong: 'uid: 61 characters' },
      { name: 'a lot code of 46 characters', path: 'uploadCarInData', parameters: { ...enter, parkingCode: '1'.repeat(46) }, wrong: 'parkingCode: 46 characters' },
      { name: 'seven digits of berths', path: 'uploadCarInData', parameters: { ...enter, totalBerthNum: 1_000_000 }, wrong: 'totalBerthNum: 7 digits' },
      { name: 'a remark of 201 characters', path: 'uploadHeartbeat', parameters: { ...heartbeat, remark: '备'.repeat(201) }, wrong: 'remark: 201 characters' },
      { name: 'more free berths than berths', path: 'uploadCarInData', parameters: { ...enter, freeBerthNum: 151 }, wrong: 'freeBerthNum: 151 free berths of 150' },
      { name: 'a fee above the limit', path: 'uploadCarOutData', parameters: { ...leave, chargeFee: 1_000_000_001 }, wrong: 'chargeFee' },
      { name: 'more to pay than charged', path: 'uploadCarOutData', parameters: { ...leave, shouldPay: 801 }, wrong: 'shouldPay' },
      { name: 'a leave before the arrival', path: 'uploadCarOutData', parameters: { ...leave, endTime: '2024-07-01 09:10:04' }, wrong: 'endTime' },
      ...[{ plateColor: 0 }, { plateColor: 7 }, { carType: 0 }, { carType: 4 }, { parkingType: 5 }, { retransFlag: 2 }].map((code) => ({
        name: `a code outside the dictionary: ${JSON.stringify(code)}`, path: 'uploadCarInData', parameters: { ...enter, ...code }, wrong: `${Object.keys(code)[0]}:`,
      })),
      { name: 'an operateType of 2', path: 'uploadModifyCarInData', parameters: { ...modify, operateType: 2 }, wrong: 'operateType:' },
      { name: 'a picture type of 3', path: 'uploadPhoto', parameters: { ...photo, type: 3 }, wrong: 'type:', file: jpeg() },
      { name: 'a PNG name', path: 'uploadPhoto', parameters: { ...photo, name: '01.png' }, wrong: 'name:', file: jpeg() },
      ...['2024-07-01T09:10:05', '2024-07-01 09:10:05 ', '2024-7-1 09:10:05', '2024-02-30 09:10:05', '2024-07-01 24:00:00', '1719796205', '2024-07-01 09:10:05.123'].map((arriveTime) => ({
        name: `the time '${arriveTime}'`, path: 'uploadCarInData', parameters: { ...enter, arriveTime }, wrong: 'arriveTime:',
      })),
      ...['鲁B 01C01', '鲁B-01C01', '鲁B·01C01', '鲁B01C0', '鲁B01C011', '鲁B01I01', '鲁B01O01', '鲁I01C01', 'B01C01', '齐B01C01', '无', '未知', '00000000', '鲁BL12345', '鲁b01c01', '鲁BABCDE'].map((plateNo) => ({
        name: `the plate '${plateNo}'`, path: 'uploadCarInData', parameters: { ...enter, plateNo }, wrong: 'plateNo:',
      })),
    ];
    it.each(cases)('refuses $name', async ({ path, parameters, wrong, file }) => {
      if (path !== 'uploadCarInData') await upload('uploadCarInData', enter);
      const before = city.summary();
      const answer = await upload(path, parameters, file === undefined ? {} : { file });
      expect([answer.resultCode, answer.msg]).toEqual(['400', expect.stringContaining(wrong)]);
      expect(city.summary()).toEqual({ ...before, refused: before['refused']! + 1 });
      expect(city.refused().at(-1)).toMatchObject({ endpoint: path, code: '400', text: JSON.stringify(parameters) });
    });

    it.each(['鲁B01C01', '京AD12345', '鲁BFA1234', '沪A12345D', '粤Z1234港', '鲁B1234学', '鲁B0123警', '鲁B1234挂', '使224578', '224578使', '鲁X0112应急', 'VA12345', 'WJ鲁1234X', '无车牌', '未识别'])(
      'takes the plate %s',
      (plate) => expect(plateProblem(plate)).toBeNull(),
    );
  });

  describe('what may follow what', () => {
    it('acknowledges a retransmission of the same record and counts it once', async () => {
      await upload('uploadCarInData', enter);
      expect((await upload('uploadCarInData', { ...enter, retransFlag: 1, uploadTime: '2024-07-01 09:11:11' })).resultCode).toBe('200');
      await upload('uploadCarOutData', leave);
      expect((await upload('uploadCarOutData', { ...leave, retransFlag: 1 })).resultCode).toBe('200');
      await upload('uploadPhoto', photo, { file: jpeg() });
      expect((await upload('uploadPhoto', { ...photo, uploadTime: '2024-07-01 09:12:00' }, { file: jpeg() })).resultCode).toBe('200');
      expect(city.summary()).toMatchObject({ enters: 1, leaves: 1, photos: 1, duplicates: 3, refused: 0 });
    });

    it('takes a first upload that calls itself a retransmission: its first try may have been lost', async () => {
      expect((await upload('uploadCarInData', { ...enter, retransFlag: 1 })).resultCode).toBe('200');
    });

    const second = { ...enter, uid: `${enter.uid}9`, arriveID: 'A2' };
    it.each([
      { name: 'an enter record twice as new', before: [['uploadCarInData', enter]], path: 'uploadCarInData', parameters: enter, code: '400', wrong: 'retransFlag is 0' },
      { name: 'another record under a known uid', before: [['uploadCarInData', enter]], path: 'uploadCarInData', parameters: { ...enter, plateNo: '鲁A11111', retransFlag: 1 }, code: '400', wrong: 'other content' },
      { name: 'a known arriveID with another uid', before: [['uploadCarInData', enter]], path: 'uploadCarInData', parameters: { ...second, arriveID: 'A1' }, code: '400', wrong: 'arriveID' },
      { name: 'a leave without its enter', before: [], path: 'uploadCarOutData', parameters: leave, code: '204', wrong: 'no enter record' },
      { name: 'a leave twice as new', before: [['uploadCarInData', enter], ['uploadCarOutData', leave]], path: 'uploadCarOutData', parameters: leave, code: '400', wrong: 'retransFlag is 0' },
      { name: 'another leave of the same uid', before: [['uploadCarInData', enter], ['uploadCarOutData', leave]], path: 'uploadCarOutData', parameters: { ...leave, retransFlag: 1, endTime: '2024-07-01 13:00:00' }, code: '400', wrong: 'other content' },
      { name: 'a known endID with another uid', before: [['uploadCarInData', enter], ['uploadCarOutData', leave], ['uploadCarInData', second]], path: 'uploadCarOutData', parameters: { ...leave, uid: second.uid }, code: '400', wrong: 'endID' },
      { name: 'a leave with another plate', before: [['uploadCarInData', enter]], path: 'uploadCarOutData', parameters: { ...leave, plateNo: '鲁A11111' }, code: '400', wrong: 'plateNo' },
      { name: 'a leave with the plate before its correction', before: [['uploadCarInData', enter], ['uploadModifyCarInData', modify]], path: 'uploadCarOutData', parameters: leave, code: '400', wrong: 'plateNo' },
      { name: 'a leave with another arrival', before: [['uploadCarInData', enter]], path: 'uploadCarOutData', parameters: { ...leave, arriveTime: '2024-07-01 09:10:06' }, code: '400', wrong: 'arriveTime' },
      { name: 'a leave from another lot', before: [['uploadCarInData', enter]], path: 'uploadCarOutData', parameters: { ...leave, parkingCode: '1002' }, code: '400', wrong: 'parkingCode' },
      { name: 'a correction of nothing', before: [], path: 'uploadModifyCarInData', parameters: modify, code: '204', wrong: 'no enter record' },
      { name: 'a correction with another arriveID', before: [['uploadCarInData', enter]], path: 'uploadModifyCarInData', parameters: { ...modify, arriveID: 'A9' }, code: '400', wrong: 'arriveID' },
      { name: 'a leave of a deleted order', before: [['uploadCarInData', enter], ['uploadModifyCarInData', { ...modify, operateType: 0 }]], path: 'uploadCarOutData', parameters: leave, code: '204', wrong: 'no enter record' },
      { name: 'a deleted uid again', before: [['uploadCarInData', enter], ['uploadModifyCarInData', { ...modify, operateType: 0 }]], path: 'uploadCarInData', parameters: enter, code: '400', wrong: 'deleted' },
    ])('refuses $name', async ({ before, path, parameters, code, wrong }) => {
      for (const [earlier, fields] of before) expect((await upload(earlier as string, fields)).resultCode).toBe('200');
      const answer = await upload(path, parameters);
      expect([answer.resultCode, answer.msg]).toEqual([code, expect.stringContaining(wrong)]);
    });

    it.each([
      { name: 'a picture before its record', enterFirst: false, parameters: photo, file: jpeg(), code: '204', wrong: 'no enter record' },
      { name: 'a picture of a leave before the leave', enterFirst: true, parameters: { ...photo, type: 2 }, file: jpeg(), code: '204', wrong: 'no leave record' },
      { name: 'a picture without a file', enterFirst: true, parameters: photo, file: undefined, code: '400', wrong: 'file: missing' },
      { name: 'a picture of 512 KiB and a byte', enterFirst: true, parameters: photo, file: jpeg(512 * 1024 + 1), code: '400', wrong: 'at most 524288' },
      { name: 'half a JPEG', enterFirst: true, parameters: photo, file: Buffer.from(jpeg(), 'base64').subarray(0, 150).toString('base64'), code: '400', wrong: 'not a whole JPEG' },
      { name: 'a PNG', enterFirst: true, parameters: photo, file: Buffer.from('89504e470d0a1a0a', 'hex').toString('base64'), code: '400', wrong: 'not a JPEG' },
      { name: 'base64 with line breaks', enterFirst: true, parameters: photo, file: `${jpeg().slice(0, 76)}\r\n${jpeg().slice(76)}`, code: '400', wrong: 'not base64' },
      { name: 'a picture from another lot', enterFirst: true, parameters: { ...photo, parkingCode: '1002' }, file: jpeg(), code: '400', wrong: 'parkingCode' },
    ])('refuses $name', async ({ enterFirst, parameters, file, code, wrong }) => {
      if (enterFirst) await upload('uploadCarInData', enter);
      const answer = await upload('uploadPhoto', parameters, file === undefined ? {} : { file });
      expect([answer.resultCode, answer.msg]).toEqual([code, expect.stringContaining(wrong)]);
      expect(city.photos()).toHaveLength(0);
    });

    it('refuses another picture under a known photoID, and takes exactly 512 KiB', async () => {
      await upload('uploadCarInData', enter);
      expect((await upload('uploadPhoto', photo, { file: jpeg(512 * 1024) })).resultCode).toBe('200');
      expect((await upload('uploadPhoto', photo, { file: jpeg(300) })).msg).toContain('known with another picture');
      expect((await upload('uploadPhoto', { ...photo, name: '02.jpg' }, { file: jpeg(512 * 1024) })).msg).toContain('known with other parameters');
    });

    it('checks lots, uid form and the length column when told to', async () => {
      await city.close();
      city = await make({ parkingCodes: ['1001'], uidRule: 'documented', maxFileCharacters: 500_000 });
      expect((await upload('uploadCarInData', { ...enter, parkingCode: '1002' })).msg).toContain("no lot '1002'");
      expect((await upload('uploadCarInData', { ...enter, uid: 'X1' })).msg).toContain('does not begin with the lot code');
      expect((await upload('uploadCarInData', { ...enter, uid: '100199991301091005123' })).msg).toContain('timestamp');
      expect((await upload('uploadCarInData', enter)).resultCode).toBe('200');
      expect((await upload('uploadPhoto', photo, { file: jpeg(400_000) })).msg).toContain('500000');
    });
  });

  describe('faults', () => {
    it('down: nobody answers, and afterwards the same port does', async () => {
      await city.setFault({ mode: 'down', forMs: 150 });
      await expect(upload('uploadCarInData', enter)).rejects.toThrow();
      await city.log.waitFor('fault-over');
      await expect.poll(() => upload('uploadCarInData', enter).then((answer) => answer.resultCode, () => 'down')).toBe('200');
    });

    it('lose-answer: the record is taken, the sender does not hear of it, the retransmission is acknowledged', async () => {
      await city.setFault({ mode: 'lose-answer', times: 1 });
      await expect(upload('uploadCarInData', enter)).rejects.toThrow();
      expect(city.summary()).toMatchObject({ enters: 1 });
      expect(city.requests()[0]).toMatchObject({ outcome: 'accepted', answered: false });
      expect((await upload('uploadCarInData', { ...enter, retransFlag: 1 })).resultCode).toBe('200');
      expect(city.summary()).toMatchObject({ enters: 1, duplicates: 1 });
    });

    it('hang, reset, 500, garbage: nothing is taken; only where and as often as asked', async () => {
      await city.setFault({ mode: 'hang', endpoints: ['uploadCarInData'] });
      expect((await upload('uploadHeartbeat', heartbeat)).resultCode).toBe('200');
      await expect(post('uploadCarInData', { accessID: ACCESS, ...seal(JSON.stringify(enter)) }, { signal: AbortSignal.timeout(200) })).rejects.toThrow(/abort|timeout/i);
      await city.setFault({ mode: 'reset', times: 1 });
      await expect(upload('uploadCarInData', enter)).rejects.toThrow();
      await city.setFault({ mode: '500', times: 1 });
      expect(await upload('uploadCarInData', enter)).toMatchObject({ status: 500, resultCode: '500' });
      await city.setFault({ mode: 'garbage', times: 1 });
      await expect(upload('uploadCarInData', enter)).rejects.toThrow(/JSON|token/);
      expect(city.summary()).toMatchObject({ enters: 0, refused: 0 });
      expect((await upload('uploadCarInData', enter)).resultCode).toBe('200');
    });

    it('slow: late, but right; set and cleared over HTTP', async () => {
      const admin = `http://127.0.0.1:${city.adminPort}/admin/fault`;
      expect((await fetch(admin, { method: 'POST', body: JSON.stringify({ mode: 'slow', ms: 300 }) })).status).toBe(200);
      const begun = Date.now();
      expect((await upload('uploadCarInData', enter)).resultCode).toBe('200');
      expect(Date.now() - begun).toBeGreaterThanOrEqual(290);
      await fetch(admin, { method: 'DELETE' });
      expect(city.fault).toBeNull();
      expect((await fetch(admin, { method: 'POST', body: '{"mode":"explode"}' })).status).toBe(400);
    });

    it('a sender that gives up in the middle leaves no trace', async () => {
      const request = http.request(`${city.baseUrl}/api/v2/cp/uploadCarInData`, { method: 'POST', headers: { 'content-length': '1000' } });
      request.on('error', () => {});
      request.write('accessID=');
      await new Promise((resolve) => setTimeout(resolve, 50));
      request.destroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(city.requests()).toHaveLength(0);
    });
  });

  it('keeps its state in a file over a restart, pictures too', async () => {
    const state = join(folder, 'city.json');
    await city.close();
    city = await make({ state });
    await upload('uploadCarInData', enter);
    await upload('uploadPhoto', photo, { file: jpeg() });
    await city.close();
    city = await make({ state });
    expect((await upload('uploadCarInData', enter)).msg).toContain('retransFlag is 0');
    expect((await upload('uploadCarOutData', leave)).resultCode).toBe('200');
    expect(city.photoBytes('P1')?.toString('base64')).toBe(jpeg());
    city.reset();
    expect(existsSync(state)).toBe(false);
    expect(city.summary()).toMatchObject({ enters: 0, photos: 0 });
  });

  const program = join(import.meta.dirname, '../../../dist/test/simulators/qingdao/main.js');
  const isBuilt = existsSync(program);
  if (!isBuilt) console.warn('city platform program test: the project is not built (npm run build:server), skipped');
  it.skipIf(!isBuilt)('runs as a program with keys that it made', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, '--generate-keys', folder]);
    const files = JSON.parse(stdout) as { platformPrivate: string; userPublic: string };
    expect(readFileSync(files.userPublic, 'utf8')).toContain('BEGIN PUBLIC KEY');
    const config = join(folder, 'city-config.json');
    writeFileSync(config, JSON.stringify({ privateKeyFile: files.platformPrivate, users: [{ accessId: ACCESS, publicKeyFile: files.userPublic }] }));
    const child = spawn(process.execPath, [program, '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    const { event, adminPort } = JSON.parse(line) as { event: string; adminPort: number };
    expect(event).toBe('listening');
    expect(await (await fetch(`http://127.0.0.1:${adminPort}/admin/summary`)).json()).toMatchObject({ enters: 0 });
    const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('tells China time', () => {
    expect(chinaDateTime(Date.UTC(2024, 6, 1, 16, 0, 0))).toBe('2024-07-02 00:00:00');
    expect(parseChinaDateTime('2024-07-02 00:00:00')).toBe(Date.UTC(2024, 6, 1, 16, 0, 0));
  });
});
