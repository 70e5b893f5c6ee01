/** What the city knows, and its rules about what may follow what (T/QME 0013-2024 A.3, A.4.1). Pure: no sockets, no files. */
import { createHash } from 'node:crypto';
import { chinaDate, parseChinaDateTime } from '../common/local-time.js';
import { decodeBase64 } from './envelope.js';
import { fieldProblems, inspectJpeg, type Endpoint, type Fields } from './fields.js';

/** One visit as the city sees it. */
export interface CityRecord {
  accessId: string;
  uid: string;
  /** As first uploaded. */
  enter: Fields;
  /** As it stands after modifications. */
  current: Fields;
  modifications: Fields[];
  leave: Fields | null;
  deleted: boolean;
  /** Running number of the accepted requests: tells what came before what. */
  enterOrder: number;
  leaveOrder: number | null;
}

export interface CityPhoto {
  accessId: string;
  photoId: string;
  uid: string;
  fields: Fields;
  sha256: string;
  bytes: number;
  width: number;
  height: number;
  order: number;
}

export interface CityHeartbeat {
  accessId: string;
  receivedAt: number;
  fields: Fields;
  /** The city's own counts of that lot and day, to compare. */
  counted: { arriveNum: number; leaveNum: number; photoNum: number };
  order: number;
}

export interface LedgerState {
  order: number;
  records: CityRecord[];
  photos: CityPhoto[];
  heartbeats: CityHeartbeat[];
  /** Requests that were acknowledged although they were known already. */
  duplicates: number;
}

/** Outcome of a request: the city's answer, and what it did. */
export interface Verdict {
  code: '200' | '204' | '400';
  msg: string;
  outcome: 'accepted' | 'duplicate' | 'refused';
}

export interface LedgerRules {
  /** Lots that exist; null takes any. */
  parkingCodes: readonly string[] | null;
  /** Largest JPEG in bytes ("大小不超过 512K"). */
  maxPhotoBytes: number;
  /**
   * Longest `file` parameter in characters. The table's length column says 500000, its remark 512K; base64 of 512 KiB has
   * 699052. Null follows the remark, 500000 the column.
   */
  maxFileCharacters: number | null;
  /** `documented`: a uid begins with the lot code and ends in a timestamp of 17 digits; `any`: it need only be unique (the text's own examples keep to no form). */
  uidRule: 'documented' | 'any';
}

/** Fields in which a retransmission may differ from the first try. */
const RETRANSMISSION_FIELDS = ['retransFlag', 'uploadTime'];

const sameRecord = (a: Fields, b: Fields): boolean => {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => RETRANSMISSION_FIELDS.includes(name) || a[name] === b[name]);
};

const accepted: Verdict = { code: '200', msg: '操作成功', outcome: 'accepted' };
const duplicate: Verdict = { code: '200', msg: '操作成功', outcome: 'duplicate' };
const refuse = (msg: string): Verdict => ({ code: '400', msg, outcome: 'refused' });
/** 204: "操作失败,没有查询到数据", the code for what refers to something unknown. */
const unknown = (msg: string): Verdict => ({ code: '204', msg, outcome: 'refused' });

export class Ledger {
  private readonly records = new Map<string, CityRecord>();
  private readonly photos = new Map<string, CityPhoto>();
  private heartbeats: CityHeartbeat[] = [];
  private readonly arriveIds = new Map<string, string>();
  private readonly endIds = new Map<string, string>();
  private order = 0;
  private duplicates = 0;

  constructor(
    private readonly rules: LedgerRules,
    state?: LedgerState,
  ) {
    if (!state) return;
    this.order = state.order;
    this.duplicates = state.duplicates;
    this.heartbeats = state.heartbeats;
    for (const record of state.records) {
      this.records.set(key(record.accessId, record.uid), record);
      this.arriveIds.set(key(record.accessId, record.enter['arriveID']), record.uid);
      if (record.leave) this.endIds.set(key(record.accessId, record.leave['endID']), record.uid);
    }
    for (const photo of state.photos) this.photos.set(key(photo.accessId, photo.photoId), photo);
  }

  /** Everything, as plain data. */
  state(): LedgerState {
    return { order: this.order, records: [...this.records.values()], photos: [...this.photos.values()], heartbeats: this.heartbeats, duplicates: this.duplicates };
  }

  /**
   * Judges one request and keeps it if it is good. `file` is the separate parameter of uploadPhoto (null when absent);
   * `keepPhoto` gets the bytes of an accepted picture.
   */
  take(endpoint: Endpoint, accessId: string, parameters: unknown, file: string | null, receivedAt: number, keepPhoto: (photo: CityPhoto, bytes: Buffer) => void): Verdict {
    const problems = fieldProblems(endpoint, parameters);
    if (problems.length > 0) return refuse(problems.join('; '));
    const fields = parameters as Fields;
    const lot = String(fields['parkingCode']);
    if (this.rules.parkingCodes && !this.rules.parkingCodes.includes(lot)) return unknown(`parkingCode: no lot '${lot}'`);
    if (endpoint !== 'uploadPhoto' && file !== null) return refuse('file: unknown parameter');
    const verdict = this.judge(endpoint, accessId, fields, file, receivedAt, keepPhoto);
    if (verdict.outcome === 'duplicate') this.duplicates += 1;
    return verdict;
  }

  private judge(endpoint: Endpoint, accessId: string, fields: Fields, file: string | null, receivedAt: number, keepPhoto: (photo: CityPhoto, bytes: Buffer) => void): Verdict {
    switch (endpoint) {
      case 'uploadCarInData':
        return this.enter(accessId, fields);
      case 'uploadModifyCarInData':
        return this.modify(accessId, fields);
      case 'uploadCarOutData':
        return this.leave(accessId, fields);
      case 'uploadPhoto':
        return this.photo(accessId, fields, file, keepPhoto);
      case 'uploadHeartbeat':
        return this.heartbeat(accessId, fields, receivedAt);
    }
  }

  private enter(accessId: string, fields: Fields): Verdict {
    const uid = String(fields['uid']);
    const uidProblem = this.uidProblem(uid, String(fields['parkingCode']));
    if (uidProblem) return refuse(`uid: ${uidProblem}`);
    const known = this.records.get(key(accessId, uid));
    if (known) {
      if (known.deleted) return refuse(`uid: '${uid}' was deleted and cannot be used again`);
      if (!sameRecord(known.enter, fields)) return refuse(`uid: '${uid}' is known with other content (${difference(known.enter, fields)})`);
      return fields['retransFlag'] === 1 ? duplicate : refuse(`uid: '${uid}' was uploaded already, and retransFlag is 0`);
    }
    const holder = this.arriveIds.get(key(accessId, fields['arriveID']));
    if (holder !== undefined) return refuse(`arriveID: '${fields['arriveID']}' belongs to uid '${holder}'`);
    this.arriveIds.set(key(accessId, fields['arriveID']), uid);
    this.order += 1;
    this.records.set(key(accessId, uid), { accessId, uid, enter: fields, current: fields, modifications: [], leave: null, deleted: false, enterOrder: this.order, leaveOrder: null });
    return accepted;
  }

  private modify(accessId: string, fields: Fields): Verdict {
    const uid = String(fields['uid']);
    const record = this.records.get(key(accessId, uid));
    if (!record) return unknown(`uid: no enter record '${uid}' to modify`);
    const last = record.modifications.at(-1);
    if (last && sameRecord(last, fields)) return duplicate;
    if (record.deleted) return unknown(`uid: '${uid}' was deleted`);
    for (const name of ['arriveID', 'parkingCode']) {
      if (fields[name] !== record.enter[name]) return refuse(`${name}: '${fields[name]}' differs from the enter record's '${record.enter[name]}'`);
    }
    if (record.leave && String(record.leave['endTime']) < String(fields['arriveTime'])) return refuse(`arriveTime: after the leave record's endTime ${record.leave['endTime']}`);
    this.order += 1;
    record.modifications.push(fields);
    if (fields['operateType'] === 0) record.deleted = true;
    else {
      const { operateType: _, ...changed } = fields;
      record.current = { ...record.current, ...changed };
    }
    return accepted;
  }

  private leave(accessId: string, fields: Fields): Verdict {
    const uid = String(fields['uid']);
    const record = this.records.get(key(accessId, uid));
    if (!record || record.deleted) return unknown(`uid: no enter record '${uid}' for this leave record`);
    if (record.leave) {
      if (!sameRecord(record.leave, fields)) return refuse(`uid: '${uid}' has left already, with other content (${difference(record.leave, fields)})`);
      return fields['retransFlag'] === 1 ? duplicate : refuse(`uid: the leave record of '${uid}' was uploaded already, and retransFlag is 0`);
    }
    for (const name of ['parkingCode', 'plateNo', 'arriveTime']) {
      if (fields[name] !== record.current[name]) return refuse(`${name}: '${fields[name]}' differs from the enter record's '${record.current[name]}'`);
    }
    const holder = this.endIds.get(key(accessId, fields['endID']));
    if (holder !== undefined) return refuse(`endID: '${fields['endID']}' belongs to uid '${holder}'`);
    this.endIds.set(key(accessId, fields['endID']), uid);
    this.order += 1;
    record.leave = fields;
    record.leaveOrder = this.order;
    return accepted;
  }

  private photo(accessId: string, fields: Fields, file: string | null, keepPhoto: (photo: CityPhoto, bytes: Buffer) => void): Verdict {
    const { maxFileCharacters, maxPhotoBytes } = this.rules;
    if (file === null || file === '') return refuse('file: missing');
    if (maxFileCharacters !== null && file.length > maxFileCharacters) return refuse(`file: ${file.length} characters, at most ${maxFileCharacters} are allowed`);
    const bytes = decodeBase64(file);
    if (!bytes) return refuse(`file: not base64${file.includes(' ') ? " ('+' must be percent-encoded in a form)" : ''}`);
    if (bytes.length > maxPhotoBytes) return refuse(`file: ${bytes.length} bytes, at most ${maxPhotoBytes} are allowed`);
    const size = inspectJpeg(bytes);
    if (typeof size === 'string') return refuse(`file: ${size}`);
    const uid = String(fields['uid']);
    const photoId = String(fields['photoID']);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const known = this.photos.get(key(accessId, photoId));
    if (known) {
      if (known.sha256 !== sha256) return refuse(`photoID: '${photoId}' is known with another picture`);
      return sameRecord(known.fields, fields) ? duplicate : refuse(`photoID: '${photoId}' is known with other parameters (${difference(known.fields, fields)})`);
    }
    const record = this.records.get(key(accessId, uid));
    if (!record || record.deleted) return unknown(`uid: no enter record '${uid}' for this picture`);
    if (fields['type'] === 2 && !record.leave) return unknown(`uid: no leave record '${uid}' for this picture of a leave`);
    if (fields['parkingCode'] !== record.enter['parkingCode']) return refuse(`parkingCode: '${fields['parkingCode']}' differs from the enter record's`);
    this.order += 1;
    const photo: CityPhoto = { accessId, photoId, uid, fields, sha256, bytes: bytes.length, ...size, order: this.order };
    this.photos.set(key(accessId, photoId), photo);
    keepPhoto(photo, bytes);
    return accepted;
  }

  private heartbeat(accessId: string, fields: Fields, receivedAt: number): Verdict {
    this.order += 1;
    this.heartbeats.push({ accessId, receivedAt, fields, counted: this.count(accessId, String(fields['parkingCode']), chinaDate(receivedAt)), order: this.order });
    if (this.heartbeats.length > 10_000) this.heartbeats = this.heartbeats.slice(-5000);
    return accepted;
  }

  /** Enter records by arriveTime, leave records by endTime, pictures by time, as A.4.1.5.4 counts them. */
  private count(accessId: string, lot: string, day: string): CityHeartbeat['counted'] {
    const ofLot = [...this.records.values()].filter((record) => record.accessId === accessId && !record.deleted && record.enter['parkingCode'] === lot);
    const on = (value: unknown): boolean => typeof value === 'string' && value.startsWith(day);
    return {
      arriveNum: ofLot.filter((record) => on(record.current['arriveTime'])).length,
      leaveNum: ofLot.filter((record) => on(record.leave?.['endTime'])).length,
      photoNum: [...this.photos.values()].filter((photo) => photo.accessId === accessId && photo.fields['parkingCode'] === lot && on(photo.fields['time'])).length,
    };
  }

  private uidProblem(uid: string, lot: string): string | null {
    if (this.rules.uidRule === 'any') return null;
    if (!uid.startsWith(lot)) return `'${uid}' does not begin with the lot code '${lot}'`;
    const stamp = /(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})\d{3}$/.exec(uid);
    if (!stamp || parseChinaDateTime(`${stamp[1]}-${stamp[2]}-${stamp[3]} ${stamp[4]}:${stamp[5]}:${stamp[6]}`) === null) return `'${uid}' does not end in a timestamp yyyyMMddHHmmssSSS`;
    return null;
  }
}

function key(accessId: string, id: unknown): string {
  return `${accessId}\n${String(id)}`;
}

/** Names of the fields that differ, for people. */
function difference(a: Fields, b: Fields): string {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !RETRANSMISSION_FIELDS.includes(name) && a[name] !== b[name]);
  return names.map((name) => `${name} '${a[name]}' → '${b[name]}'`).join(', ');
}
