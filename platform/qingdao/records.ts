import { beijingDateTime } from '../../base/beijing-time.js';
import type { CorrectionMessage, EnterMessage, HeartbeatMessage, LeaveMessage, PhotoMessage, PlatformMessage } from '../message.js';
import { plateWords } from '../../parking/model/plate-words.js';
import { CAR_TYPE, PARKING_TYPE_TEMPORARY, plateColourCode } from './codes.js';

/** Parameters of one call as the protocol names them, in the order of its field table. */
export type Fields = Record<string, string | number>;

export interface Call {
  /** Last part of the URL, below `/api/v2/cp/`. */
  endpoint: string;
  fields: Fields;
}

/** What the sender adds at the moment of sending. */
export interface SendFacts {
  /** Unix ms. */
  now: number;
  retransmission: boolean;
}

/**
 * Translates a message into the call of T/QME 0013-2024 A.4.1. Where field table and example disagree the table wins:
 * codes and counts are numbers, `arriveTime` has no trailing space, leave records carry `endID` instead of `arriveID`.
 */
export function toCall(message: PlatformMessage, facts: SendFacts): Call {
  switch (message.kind) {
    case 'enter':
      return { endpoint: 'uploadCarInData', fields: enterFields(message, facts) };
    case 'correction':
      return { endpoint: 'uploadModifyCarInData', fields: correctionFields(message, facts) };
    case 'leave':
      return { endpoint: 'uploadCarOutData', fields: leaveFields(message, facts) };
    case 'photo':
      return { endpoint: 'uploadPhoto', fields: photoFields(message, facts) };
    case 'heartbeat':
      return { endpoint: 'uploadHeartbeat', fields: heartbeatFields(message, facts) };
  }
}

/** Fields that enter (A.4.1.1.4), correction (A.4.1.2.4) and leave (A.4.1.3.4) records have in common. */
function vehicleAndLot(message: EnterMessage | CorrectionMessage | LeaveMessage): Fields {
  const { visit, counts } = message;
  return {
    plateNo: plateWords(visit.plate),
    plateColor: plateColourCode(visit.plate),
    carType: CAR_TYPE[visit.vehicleType],
    parkingCode: message.lotCode,
    totalBerthNum: counts.totalBerths,
    freeBerthNum: Math.min(counts.freeBerths, counts.totalBerths),
    arriveTime: beijingDateTime(visit.enteredAt),
    parkingType: PARKING_TYPE_TEMPORARY,
  };
}

function upload(facts: SendFacts): Fields {
  return { retransFlag: facts.retransmission ? 1 : 0, uploadTime: beijingDateTime(facts.now) };
}

/** The record ids are derived from the uid, so that a repeated run of the analysis names the same record. */
const arriveId = (uid: string): string => `${uid}A`;
const endId = (uid: string): string => `${uid}D`;

function enterFields(message: EnterMessage, facts: SendFacts): Fields {
  return { uid: message.visit.uid, arriveID: arriveId(message.visit.uid), ...vehicleAndLot(message), ...upload(facts) };
}

function correctionFields(message: CorrectionMessage, facts: SendFacts): Fields {
  const OPERATE_MODIFY = 1;
  return { uid: message.visit.uid, arriveID: arriveId(message.visit.uid), operateType: OPERATE_MODIFY, ...vehicleAndLot(message), ...upload(facts) };
}

function leaveFields(message: LeaveMessage, facts: SendFacts): Fields {
  const { visit } = message;
  return {
    uid: visit.uid,
    endID: endId(visit.uid),
    ...vehicleAndLot(message),
    endTime: beijingDateTime(visit.leftAt ?? visit.enteredAt),
    ...upload(facts),
    chargeFee: message.chargeFee,
    shouldPay: message.shouldPay,
  };
}

function photoFields(message: PhotoMessage, facts: SendFacts): Fields {
  return {
    uid: message.uid,
    parkingCode: message.lotCode,
    photoID: message.photoId,
    time: beijingDateTime(message.takenAt),
    type: message.of === 'enter' ? 1 : 2,
    name: message.name,
    uploadTime: beijingDateTime(facts.now),
  };
}

function heartbeatFields(message: HeartbeatMessage, facts: SendFacts): Fields {
  return {
    parkingCode: message.lotCode,
    arriveNum: message.entered,
    leaveNum: message.left,
    photoNum: message.photos,
    uploadTime: beijingDateTime(facts.now),
    remark: '',
  };
}
