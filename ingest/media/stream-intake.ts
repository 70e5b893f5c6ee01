import type { MediaEvent, StrangerReason } from './media-event.js';
import { MediaPipeline, type PipelineOptions, type PipelineStats } from './pipeline.js';
import { ReceptionStatistics } from './rtcp.js';
import { parseRtp } from './rtp-packet.js';
import { StreamBinding, type BindingOptions, type BoundSource } from './stream-binding.js';

export interface IntakeStats extends PipelineStats {
  /** Lawful RTP of somebody else, dropped. */
  strangerPackets: number;
  /** Neither RTP nor RTCP. */
  malformedPackets: number;
  rtcpPackets: number;
  /** Whose packets are taken; null before the first. */
  source: BoundSource | null;
  /** Wall clock of the last accepted packet; null before the first. */
  lastPacketAt: number | null;
  /** Who sent to this stream last without being taken; null where nobody did. */
  lastStranger: Stranger | null;
}

export interface Stranger {
  host: string;
  port: number;
  /** Null where it did not come so far as to show one. */
  ssrc: number | null;
  why: StrangerReason;
}

export type IntakeOptions = PipelineOptions & BindingOptions;

/** What became of a packet. RTCP is left to the transport; it never binds anything. */
export type IntakeVerdict = 'accepted' | 'rtcp' | 'refused';

const STRANGER_EVENT_MS = 10_000;
const STRANGERS_REMEMBERED = 64;

/** Binding and pipeline of one stream behind whatever socket: decides whose a packet is, counts, and passes it on. Pure. */
export class StreamIntake {
  readonly binding: StreamBinding;
  readonly #pipeline: MediaPipeline;
  readonly #onEvent: (event: MediaEvent) => void;
  readonly #strangers = new Map<string, number>();
  #reception = new ReceptionStatistics();
  #strangerPackets = 0;
  #malformed = 0;
  #rtcp = 0;
  #lastPacketAt: number | null = null;
  #lastPacketMono: number | null = null;
  #lastStranger: Stranger | null = null;

  constructor(options: IntakeOptions) {
    this.binding = new StreamBinding(options);
    this.#pipeline = new MediaPipeline(options);
    this.#onEvent = options.onEvent;
  }

  get stats(): IntakeStats {
    return {
      ...this.#pipeline.stats,
      strangerPackets: this.#strangerPackets,
      malformedPackets: this.#malformed,
      rtcpPackets: this.#rtcp,
      source: this.binding.bound,
      lastPacketAt: this.#lastPacketAt,
      lastStranger: this.#lastStranger,
    };
  }

  /** Monotonic time of the last accepted packet; null before the first. */
  get lastPacketMono(): number | null {
    return this.#lastPacketMono;
  }

  get reception(): ReceptionStatistics {
    return this.#reception;
  }

  /**
   * One datagram or frame from `host`:`port`.
   * @param mono monotonic ms (binding), @param wall Unix ms (capture time)
   * @param damaged bytes of a TCP stream before it were thrown away
   */
  take(bytes: Buffer, host: string, port: number, mono: number, wall: number, damaged = false): IntakeVerdict {
    const packet = parseRtp(bytes);
    if (typeof packet === 'string') {
      if (packet === 'rtcp') {
        this.#rtcp++;
        return 'rtcp';
      }
      this.#malformed++;
      return 'refused';
    }
    const before = this.binding.bound;
    const verdict = this.binding.judge(packet.ssrc, host, port, mono);
    if (verdict === 'bind') this.#bound(before, wall);
    else if (verdict !== 'accept') {
      this.#strangerPackets++;
      this.stranger(host, port, packet.ssrc, verdict, mono);
      return 'refused';
    }
    this.#lastPacketAt = wall;
    this.#lastPacketMono = mono;
    this.#reception.packet(packet.sequence, packet.timestamp, mono);
    this.#pipeline.push(packet, wall, damaged);
    return 'accepted';
  }

  /** Counts RTCP that came on its own port. */
  countRtcp(): void {
    this.#rtcp++;
  }

  /** Reports a stranger, at most once in ten seconds each. */
  stranger(host: string, port: number, ssrc: number | null, why: StrangerReason, mono: number): void {
    this.#lastStranger = { host, port, ssrc, why };
    const key = `${host} ${why}`;
    const last = this.#strangers.get(key);
    if (last !== undefined && mono - last < STRANGER_EVENT_MS) return;
    if (last === undefined && this.#strangers.size >= STRANGERS_REMEMBERED) {
      // A flood of addresses: forget the oldest, and stay silent while all are fresh.
      const [oldest, at] = this.#strangers.entries().next().value as [string, number];
      if (mono - at < STRANGER_EVENT_MS) return;
      this.#strangers.delete(oldest);
    }
    this.#strangers.delete(key);
    this.#strangers.set(key, mono);
    this.#onEvent({ type: 'stranger', host, port, ssrc, why });
  }

  /** Gives up on overdue packets. */
  poll(wall: number): void {
    this.#pipeline.poll(wall);
  }

  /** The stream rests or ends. */
  flush(wall: number): void {
    this.#pipeline.flush(wall);
  }

  /** A new byte stream of the same source (TCP reconnect): its beginning is not the continuation of the old one. */
  restart(wall: number): void {
    this.#pipeline.restart(wall);
    this.#reception = new ReceptionStatistics();
  }

  #bound(before: BoundSource | null, wall: number): void {
    const now = this.binding.bound as BoundSource;
    if (before === null) {
      this.#onEvent({ type: 'first-packet', ssrc: now.ssrc, expected: now.expected, host: now.host, port: now.port });
      return;
    }
    // A NAT that gives the same sender another port changes nothing in the stream itself.
    if (before.ssrc !== now.ssrc || before.host !== now.host) this.restart(wall);
    this.#onEvent({ type: 'rebound', host: now.host, port: now.port, ssrc: now.ssrc });
  }
}
