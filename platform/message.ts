import type { Visit } from '../parking/model/visit.js';

/** Berth counts of a lot at the moment a record is made. */
export interface LotCounts {
  totalBerths: number;
  freeBerths: number;
}

export interface EnterMessage {
  kind: 'enter';
  lotCode: string;
  visit: Visit;
  counts: LotCounts;
}

export interface LeaveMessage {
  kind: 'leave';
  lotCode: string;
  visit: Visit;
  counts: LotCounts;
  /** 计费金额 and 应收金额, in fen. */
  chargeFee: number;
  shouldPay: number;
}

/** A plate or attribute changed after the enter record was made (订单修改信息). */
export interface CorrectionMessage {
  kind: 'correction';
  lotCode: string;
  visit: Visit;
  counts: LotCounts;
  /** 1, 2, …: makes each correction of one visit a message of its own. */
  revision: number;
}

export interface PhotoMessage {
  kind: 'photo';
  lotCode: string;
  /** 流水号 of the visit. */
  uid: string;
  /** Unique per picture, at most 60 characters. */
  photoId: string;
  of: 'enter' | 'leave';
  /** Unix ms of the picture. */
  takenAt: number;
  /** File name shown to the platform, at most 60 characters. */
  name: string;
  /** Key in the object store; the JPEG is read when the message is sent. */
  objectKey: string;
}

export interface HeartbeatMessage {
  kind: 'heartbeat';
  lotCode: string;
  /** Unix ms of the Beijing day's counts. */
  at: number;
  entered: number;
  left: number;
  photos: number;
}

export type PlatformMessage = EnterMessage | LeaveMessage | CorrectionMessage | PhotoMessage | HeartbeatMessage;

export type DeliveryOutcome =
  /** The platform has it. */
  | { outcome: 'delivered'; response: string; platformTime?: number }
  /** The platform answered and refused; `reason` is for people. */
  | { outcome: 'refused'; code: string; reason: string }
  /** No usable answer: the message may or may not have arrived. */
  | { outcome: 'unreachable'; reason: string };

/**
 * A city platform's protocol. Adapters translate, encrypt and send one message; order, retries and persistence are the
 * outbox's. `deliver` never throws for what the network or the platform does.
 */
export interface Platform {
  readonly id: string;
  /** Which messages this protocol has; others are never put in its outbox. */
  readonly accepts: ReadonlySet<PlatformMessage['kind']>;
  /** `retransmission`: an earlier attempt was started, whatever became of it. `readObject` gives the bytes behind a photo's key. */
  deliver(message: PlatformMessage, context: { retransmission: boolean; signal: AbortSignal; readObject: (key: string) => Promise<Uint8Array> }): Promise<DeliveryOutcome>;
}
