/** The field tables of T/QME 0013-2024 A.4.1 with the data dictionary of A.5, as data; and the check of a request against one. */
import { parseChinaDateTime } from '../common/local-time.js';
import { plateProblem } from './plate-grammar.js';

export type Endpoint = 'uploadCarInData' | 'uploadModifyCarInData' | 'uploadCarOutData' | 'uploadPhoto' | 'uploadHeartbeat';

export const ENDPOINTS: readonly Endpoint[] = ['uploadCarInData', 'uploadModifyCarInData', 'uploadCarOutData', 'uploadPhoto', 'uploadHeartbeat'];

interface Field {
  name: string;
  type: 'string' | 'int';
  /** Characters, or digits. */
  length: number;
  optional?: true;
  /** What else the table or the dictionary demands: null, or what is wrong. */
  check?: (value: never) => string | null;
}

const text = (name: string, length: number, check?: (value: string) => string | null): Field => ({ name, type: 'string', length, ...(check ? { check } : {}) });
const int = (name: string, length: number, check?: (value: number) => string | null): Field => ({ name, type: 'int', length, ...(check ? { check } : {}) });
const oneOf = (name: string, codes: readonly number[]): Field => int(name, 1, (value) => (codes.includes(value) ? null : `${value} is not one of ${codes.join(', ')}`));
const time = (name: string): Field => text(name, 19, (value) => (parseChinaDateTime(value) === null ? `'${value}' is not a time of the form yyyy-MM-dd HH:mm:ss` : null));

const uid = text('uid', 60);
const plateNo = text('plateNo', 50, plateProblem);
const plateColor = oneOf('plateColor', [1, 2, 3, 4, 5, 6]);
const carType = oneOf('carType', [1, 2, 3]);
const parkingCode = text('parkingCode', 45);
const berths = [int('totalBerthNum', 6), int('freeBerthNum', 6)];
const parkingType = oneOf('parkingType', [1, 2, 3, 4, 9]);
const retransFlag = oneOf('retransFlag', [0, 1]);
const money = (name: string): Field => int(name, 10, (value) => (value <= 1_000_000_000 ? null : `${value} is more than 1000000000 fen`));

const TABLES: Record<Endpoint, readonly Field[]> = {
  uploadCarInData: [uid, text('arriveID', 60), plateNo, plateColor, carType, parkingCode, ...berths, time('arriveTime'), parkingType, retransFlag, time('uploadTime')],
  uploadModifyCarInData: [
    uid, text('arriveID', 60), plateNo, plateColor, carType, oneOf('operateType', [0, 1]), parkingCode, ...berths, time('arriveTime'), parkingType, retransFlag, time('uploadTime'),
  ],
  uploadCarOutData: [
    uid, text('endID', 60), plateNo, plateColor, carType, parkingCode, ...berths, time('arriveTime'), parkingType, time('endTime'), retransFlag, time('uploadTime'), money('chargeFee'), money('shouldPay'),
  ],
  uploadPhoto: [
    uid, parkingCode, text('photoID', 60), time('time'), oneOf('type', [1, 2]),
    text('name', 60, (value) => (/\.jpe?g$/i.test(value) ? null : `'${value}' does not name a JPG file`)), time('uploadTime'),
  ],
  uploadHeartbeat: [parkingCode, int('arriveNum', 10), int('leaveNum', 10), int('photoNum', 10), time('uploadTime'), { name: 'remark', type: 'string', length: 200, optional: true }],
};

/** A request's parameters after the check: strings and integers only. */
export type Fields = Record<string, string | number>;

/** All that is wrong with the parameters of a request, field by field; empty when nothing is. */
export function fieldProblems(endpoint: Endpoint, parameters: unknown): string[] {
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) return ['the parameters are not a JSON object'];
  const given = parameters as Record<string, unknown>;
  const table = TABLES[endpoint];
  const problems = Object.keys(given).filter((name) => !table.some((field) => field.name === name)).map((name) => `${name}: unknown parameter`);
  for (const field of table) {
    const problem = fieldProblem(field, given[field.name]);
    if (problem !== null) problems.push(`${field.name}: ${problem}`);
  }
  if (problems.length > 0) return problems;
  return relationProblems(given as Fields);
}

function fieldProblem(field: Field, value: unknown): string | null {
  if (value === undefined || value === null || value === '') return field.optional ? null : 'missing';
  if (field.type === 'string') {
    if (typeof value !== 'string') return `must be a string, not ${typeof value}`;
    const { length } = [...value];
    if (length > field.length) return `${length} characters, at most ${field.length} are allowed`;
  } else {
    if (typeof value !== 'number' || !Number.isInteger(value)) return `must be an integer, not ${typeof value === 'number' ? value : typeof value}`;
    if (value < 0) return 'must not be negative';
    if (String(value).length > field.length) return `${String(value).length} digits, at most ${field.length} are allowed`;
  }
  return field.check ? field.check(value as never) : null;
}

/** What holds between fields of one request: A.4.1.1.4, A.6. */
function relationProblems(fields: Fields): string[] {
  const problems: string[] = [];
  const { totalBerthNum, freeBerthNum, chargeFee, shouldPay, arriveTime, endTime } = fields;
  if (typeof totalBerthNum === 'number' && typeof freeBerthNum === 'number' && freeBerthNum > totalBerthNum) {
    problems.push(`freeBerthNum: ${freeBerthNum} free berths of ${totalBerthNum}`);
  }
  if (typeof chargeFee === 'number' && typeof shouldPay === 'number' && shouldPay > chargeFee) {
    problems.push(`shouldPay: ${shouldPay} is more than chargeFee ${chargeFee} (计费金额 less discounts)`);
  }
  if (typeof arriveTime === 'string' && typeof endTime === 'string' && endTime < arriveTime) problems.push(`endTime: ${endTime} is before arriveTime ${arriveTime}`);
  return problems;
}

/** Why a picture cannot be taken, or its size in pixels. Only whole baseline or progressive JPEGs are. */
export function inspectJpeg(bytes: Buffer): { width: number; height: number } | string {
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== 0xd8) return 'not a JPEG (does not begin with FF D8)';
  if (bytes[bytes.length - 2] !== 0xff || bytes[bytes.length - 1] !== 0xd9) return 'not a whole JPEG (does not end with FF D9)';
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  return 'not a JPEG (no frame header)';
}
