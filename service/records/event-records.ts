import type { VisitEvent } from '../../evidence/plan.js';
import type { LotCounts, PlatformMessage } from '../../platform/message.js';
import type { OutboxEntry } from '../../platform/outbox/outbox-table.js';

/** Keys of a visit's messages in the outbox. */
export const messageKey = {
  enter: (uid: string): string => `${uid}/enter`,
  correction: (uid: string, revision: number): string => `${uid}/correction-${revision}`,
  leave: (uid: string): string => `${uid}/leave`,
  photo: (pictureId: string): string => `photo/${pictureId}`,
};

/** What a visit's messages need besides the visit. */
export interface RecordContext {
  lotCode: string;
  counts: LotCounts;
  /** Corrections of the visit so far, this one included. */
  revision: number;
  feeFen: number;
  platforms: readonly { id: string; accepts: ReadonlySet<PlatformMessage['kind']> }[];
}

/**
 * The messages that an event gives each platform, each with those it must follow: corrections in their order behind the
 * enter record, the leave record behind all of them (so that it repeats the plate the platform already has).
 */
export function messagesOf(event: VisitEvent, context: RecordContext): OutboxEntry[] {
  const { visit } = event;
  const { uid } = visit;
  const corrections = (count: number): string[] => Array.from({ length: count }, (_, i) => messageKey.correction(uid, i + 1));
  let key: string;
  let requires: string[];
  let message: PlatformMessage;
  const common = { lotCode: context.lotCode, visit, counts: context.counts };
  switch (event.type) {
    case 'entered':
      key = messageKey.enter(uid);
      requires = [];
      message = { kind: 'enter', ...common };
      break;
    case 'corrected':
      key = messageKey.correction(uid, context.revision);
      requires = [messageKey.enter(uid), ...corrections(context.revision - 1)];
      message = { kind: 'correction', ...common, revision: context.revision };
      break;
    case 'left':
      key = messageKey.leave(uid);
      requires = [messageKey.enter(uid), ...corrections(context.revision)];
      message = { kind: 'leave', ...common, chargeFee: context.feeFen, shouldPay: context.feeFen };
      break;
  }
  return context.platforms
    .filter((platform) => platform.accepts.has(message.kind))
    .map((platform) => ({
      platform: platform.id,
      key,
      // A platform without corrections never gets them, so nothing may wait for them.
      requires: platform.accepts.has('correction') ? requires : requires.filter((required) => !required.includes('/correction-')),
      message,
      visitUid: uid,
      createdAt: event.at,
    }));
}
