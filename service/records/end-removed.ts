import type { VisitEvent } from '../../evidence/plan.js';
import type { Visit } from '../../parking/model/visit.js';
import { endVisits } from '../../parking/removal.js';
import { STATE_VERSION } from '../../parking/state.js';
import type { Queryable } from '../../storage/catalogue/queryable.js';
import type { PipelineState } from '../analysis/pipeline.js';
import { cameraSite, type Site } from '../config/site.js';
import { applyEvent, type RecordRules } from './analysis-store.js';
import type { OpenVisit } from './site-store.js';

/**
 * Ends the open visits of berths that go: each gets its leave record and evidence, and the camera's stored state forgets its occupant, all
 * in the transaction that takes the berths out.
 */
export async function endRemovedVisits(tx: Queryable, { before, open, rules, now }: { before: Site; open: readonly OpenVisit[]; rules: RecordRules; now: number }): Promise<void> {
  for (const cameraId of new Set(open.map((visit) => visit.cameraId))) {
    const leaving = open.filter((visit) => visit.cameraId === cameraId);
    const events = await endKnown(tx, before, cameraId, new Set(leaving.map((visit) => visit.berthId)));
    const told = new Set(events.filter((event) => event.type === 'left').map((event) => event.visit.uid));
    for (const event of events) await applyEvent(tx, event, rules, now);
    for (const visit of leaving) if (!told.has(visit.uid)) await applyEvent(tx, await endUnknown(tx, visit), rules, now);
  }
}

/** What the camera's state says of those who stand in its berths. */
async function endKnown(tx: Queryable, before: Site, cameraId: string, berthIds: ReadonlySet<string>): Promise<VisitEvent[]> {
  const camera = before.cameras.find((c) => c.id === cameraId);
  const { rows } = await tx.query<{ state: PipelineState }>('SELECT state FROM analysis WHERE camera_id = $1 FOR UPDATE', [cameraId]);
  const state = rows[0]?.state;
  if (!camera || state?.parking?.version !== STATE_VERSION) return [];
  const ended = endVisits(state.parking, cameraSite(camera), berthIds);
  await tx.query('UPDATE analysis SET state = $2 WHERE camera_id = $1', [cameraId, JSON.stringify({ ...state, parking: ended.state })]);
  return ended.events.filter((event): event is VisitEvent => 'visit' in event);
}

/** A visit that no state knows of any more: nothing says how long it lasted, so nobody is charged for it. */
async function endUnknown(tx: Queryable, open: OpenVisit): Promise<VisitEvent> {
  const { rows } = await tx.query<{ doc: Visit }>('SELECT doc FROM visit WHERE uid = $1', [open.uid]);
  const visit = rows[0]?.doc as Visit;
  const leftAt = open.enteredAt + 1;
  return { type: 'left', at: leftAt, visit: { ...visit, leftAt }, instants: [] };
}
