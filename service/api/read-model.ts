import type { PlatformLink } from '../platforms/platform-link.js';
import type { Queryable } from '../../storage/catalogue/queryable.js';
import { analysedAt } from '../config/analysis-windows.js';
import type { Site, SiteCamera } from '../config/site.js';
import type { BerthBoard } from '../live/berth-board.js';
import type { Rates } from '../live/rates.js';
import type { LiveStream } from '../live/live-stream.js';
import { readCounts, readVisits, type VisitRecord } from '../records/visit-reader.js';
import type { VisitFilter } from './routes.js';
import type { CameraView, StatusView, VisitView } from './schemas.js';
import type { ProblemBoard } from '../live/problems.js';

export interface ReadModelParts {
  database: Queryable;
  site: () => Site;
  board: BerthBoard;
  streams: ReadonlyMap<string, LiveStream>;
  isOnline: (deviceId: string) => boolean;
  onlineSince: (deviceId: string) => number | null;
  rates: Pick<Rates, 'bitsPerSecond'>;
  links: readonly Pick<PlatformLink, 'counts'>[];
  problems: ProblemBoard;
  startedAt: number;
  now: () => number;
  storage: () => StatusView['storage'];
  archive: () => StatusView['archive'];
  hostClock: () => StatusView['clock'];
}

/** What the API shows, put together from the catalogue and the live parts. */
export class ReadModel {
  readonly #parts: ReadModelParts;

  constructor(parts: ReadModelParts) {
    this.#parts = parts;
  }

  async cameras(): Promise<CameraView[]> {
    const { database, site } = this.#parts;
    const open = await database.query<{ uid: string; entered_at: number; berth_id: string; plate: VisitView['plate'] }>(`SELECT uid, entered_at, berth_id, doc->'plate' AS plate FROM visit WHERE left_at IS NULL`);
    const openVisits = new Map(open.rows.map((row) => [row.berth_id, { uid: row.uid, enteredAt: row.entered_at, plate: row.plate }]));
    return site().cameras.map((camera) => this.#camera(camera, openVisits));
  }

  #camera(camera: SiteCamera, openVisits: ReadonlyMap<string, NonNullable<CameraView['berths'][number]['visit']>>): CameraView {
    const { board, streams, isOnline, onlineSince, rates, now } = this.#parts;
    const stream = streams.get(camera.id);
    const live = new Map(board.berths(camera.id).map((berth) => [berth.berthId, berth.state]));
    const stats = stream?.stats ?? null;
    return {
      id: camera.id,
      name: camera.name,
      deviceNumber: camera.deviceNumber,
      roadSection: camera.roadSection,
      direction: camera.direction,
      lot: camera.lot,
      width: camera.width,
      height: camera.height,
      kind: camera.kind,
      enabled: camera.enabled,
      gb28181: camera.gb28181 && { deviceId: camera.gb28181.deviceId, channelId: camera.gb28181.channelId },
      streams: camera.streams,
      mountingHeightM: camera.mountingHeightM,
      location: camera.location,
      manufacturer: camera.manufacturer,
      model: camera.model,
      notes: camera.notes,
      analysis: { windows: camera.analysis.windows, open: analysedAt(camera.analysis.windows)(now()) },
      onlineSince: camera.gb28181 ? onlineSince(camera.gb28181.deviceId) : null,
      online: camera.gb28181 ? isOnline(camera.gb28181.deviceId) : stream?.status.state === 'streaming',
      stream: {
        bitsPerSecond: rates.bitsPerSecond(camera.id),
        state: stream?.status.state ?? 'none',
        diagnosis: stream?.status.diagnosis ?? null,
        lastFailure: stream?.status.lastFailure ?? null,
        codec: stream?.status.codec ?? null,
        transport: camera.gb28181?.transport ?? (camera.rtsp ? `rtsp-${camera.rtsp.transport}` : null),
        lastUnitAt: stream?.status.lastUnitAt ?? null,
        lostPackets: stats?.lostPackets ?? 0,
        strangers: stats?.strangerPackets ?? 0,
      },
      analysedTo: board.analysedTo(camera.id),
      berths: camera.berths.map((berth) => {
        const visit = openVisits.get(berth.id) ?? null;
        return { id: berth.id, number: berth.number, kind: berth.kind, polygon: berth.polygon, state: live.get(berth.id) ?? (visit ? 'occupied' : 'unknown'), visit };
      }),
    };
  }

  async visits(filter: VisitFilter & { uid?: string }): Promise<VisitView[]> {
    const records = await readVisits(this.#parts.database, { ...filter, uid: filter.uid ?? null });
    return records.map((record) => this.#visit(record));
  }

  async visit(uid: string): Promise<VisitView | null> {
    return (await this.visits({ limit: 1, before: null, berthId: null, cameraId: null, uid }))[0] ?? null;
  }

  #visit(record: VisitRecord): VisitView {
    const { visit } = record;
    const camera = this.#parts.site().cameras.find((c) => c.id === visit.cameraId);
    return {
      uid: visit.uid,
      cameraId: visit.cameraId,
      berthId: visit.berthId,
      berthNumber: camera?.berths.find((berth) => berth.id === visit.berthId)?.number ?? visit.berthId,
      roadSection: camera?.roadSection ?? '',
      lotCode: record.lotCode,
      plate: visit.plate,
      vehicleType: visit.vehicleType,
      bodyColour: visit.bodyColour,
      enteredAt: visit.enteredAt,
      leftAt: visit.leftAt,
      presentAtStart: visit.presentAtStart,
      confidence: visit.confidence,
      revision: record.revision,
      feeFen: record.feeFen,
      pictures: record.pictures,
      deliveries: record.deliveries,
    };
  }

  async status(): Promise<Omit<StatusView, 'version'>> {
    const { database, links, problems, startedAt, now, storage, archive, hostClock } = this.#parts;
    // In the order in which work passes from evidence to the outboxes: read the other way round, what is handed on between the two
    // readings is counted in neither, and the service looks done with messages still to come.
    const counts = await readCounts(database);
    const platforms = await Promise.all(links.map((link) => link.counts()));
    return {
      startedAt,
      now: now(),
      problems: problems.list(),
      platforms,
      storage: storage(),
      archive: archive(),
      clock: hostClock(),
      counts,
    };
  }
}
