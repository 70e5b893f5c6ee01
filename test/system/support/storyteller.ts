import { beijingCompact } from '../../../base/beijing-time.js';
import type { VisitEvent } from '../../../evidence/plan.js';
import type { EvidenceInstant, Visit } from '../../../parking/model/visit.js';
import type { PlatformMessage } from '../../../platform/message.js';
import { AnalysisStore } from '../../../service/records/analysis-store.js';
import type { LogPosition } from '../../../storage/footage/segment.js';
import { LOT, type Street } from './street.js';

const TELLER = 'cam-9';
const ALL = new Set<PlatformMessage['kind']>(['enter', 'correction', 'leave', 'photo', 'heartbeat']);

/**
 * Puts visits into a running service's catalogue as its analysis would (same transaction, same tables), so that what comes
 * behind it can be tested without a model that sees cars: evidence from real footage, outbox, delivery.
 */
export class Storyteller {
  readonly #street: Street;
  #at: LogPosition | null = null;
  readonly uids: string[] = [];

  constructor(street: Street) {
    this.#street = street;
  }

  /** A vehicle comes to rest in berth `n` of cam-1 on the newest analysed picture. */
  async enter(n: number): Promise<Visit> {
    const enteredAt = await this.#street.analysedTo('cam-1');
    const uid = `${LOT}10${n}${beijingCompact(enteredAt)}`;
    const visit: Visit = {
      id: uid,
      uid,
      cameraId: 'cam-1',
      berthId: `b-1-${n}`,
      plate: { status: 'read', text: `鲁B${10000 + this.uids.length}`, colour: 'blue', confidence: 0.97 },
      vehicleType: 'small',
      bodyColour: 'white',
      enteredAt,
      leftAt: null,
      presentAtStart: false,
      confidence: 0.9,
    };
    this.uids.push(uid);
    await this.#tell({ type: 'entered', at: enteredAt, visit, instants: this.#instants(enteredAt, ['approaching', 'parked', 'plate']) });
    return visit;
  }

  /** The vehicle leaves on the newest analysed picture. */
  async leave(visit: Visit): Promise<void> {
    const leftAt = await this.#street.analysedTo('cam-1');
    await this.#tell({ type: 'left', at: leftAt, visit: { ...visit, leftAt }, instants: this.#instants(leftAt, ['parked', 'leaving', 'vacated', 'plate']) });
  }

  async #tell(event: VisitEvent): Promise<void> {
    const { site, database } = this.#street;
    const store = new AnalysisStore(database, {
      platforms: [{ id: 'qingdao', accepts: ALL } as never],
      lotOfBerth: () => LOT,
      totalBerths: () => site.cameras.reduce((sum, camera) => sum + camera.berths.length, 0),
      feeFen: () => 200,
    });
    const to = { segment: 1, gop: (this.#at?.gop ?? -1) + 1 };
    await store.write({ cameraId: TELLER, from: this.#at, to: { position: to, analysedTo: event.at, state: {} }, events: [event] }, Date.now());
    this.#at = to;
  }

  #instants(at: number, shows: EvidenceInstant['shows'][]): EvidenceInstant[] {
    return shows.map((what) => ({
      capturedAt: at,
      shows: what,
      vehicleBox: { x: 40, y: 100, width: 160, height: 180 },
      plateCorners: what === 'plate' ? [[90, 240], [150, 240], [150, 258], [90, 258]] : null,
    }));
  }
}
