import type { StreamBinding } from './stream-binding.js';

/** A stream on a shared port. */
export interface SharedMember {
  readonly kind: 'udp' | 'tcp-passive';
  readonly binding: StreamBinding;
  /** Why its packets may not be told from others': for the diagnosis. */
  hint: string | null;
}

/** Packets of one stream come in shorter intervals than this; a longer pause means that it began anew. */
const CONTINUOUS_MS = 1500;
const MAX_SIGHTINGS = 2048;

/**
 * Whose a packet on a shared port is. By its SSRC where that was offered, answered or learnt; an SSRC that is nobody's may
 * belong to a device that chooses its own without a word, and can be learnt (by the stream's `StreamBinding`) only where
 *
 * - exactly one stream of that very address still waits for its first packet and is not strict, and
 * - it was not already coming when that stream was asked for: a sender that missed its BYE goes on.
 *
 * Streams of which packets have come keep their SSRC to their end: on a port of its own a changed one can be followed, here
 * it might be another camera's. Pure.
 */
export class SharedStreams {
  readonly #members = new Map<SharedMember, { openedAt: number; ssrcs: number[] }>();
  /** Those of which no packet has come yet. */
  readonly #waiting = new Set<SharedMember>();
  readonly #bySsrc = new Map<number, SharedMember[]>();
  /** SSRCs that are nobody's, by address: since when they come without a pause, and last. */
  readonly #sightings = new Map<string, { since: number; last: number }>();

  get size(): number {
    return this.#members.size;
  }

  add(member: SharedMember, now: number): void {
    this.#members.set(member, { openedAt: now, ssrcs: [] });
    this.#waiting.add(member);
    this.index(member);
  }

  remove(member: SharedMember): void {
    this.#unindex(member);
    this.#members.delete(member);
    this.#waiting.delete(member);
  }

  /** Its expected SSRC or the one that it is bound to has changed. */
  index(member: SharedMember): void {
    const known = this.#members.get(member);
    if (!known) return;
    this.#unindex(member);
    const { expectedSsrc, bound } = member.binding;
    known.ssrcs = [...new Set([expectedSsrc, bound?.ssrc ?? null].filter((ssrc) => ssrc !== null))];
    for (const ssrc of known.ssrcs) this.#bySsrc.set(ssrc, [...(this.#bySsrc.get(ssrc) ?? []), member]);
  }

  /** The stream that shall judge a packet; null where it is nobody's. */
  find(kind: SharedMember['kind'], ssrc: number, host: string, now: number): SharedMember | null {
    const known = this.#bySsrc.get(ssrc);
    if (known) {
      // Cameras that choose their own SSRC may choose the same: then their addresses tell them apart, or nothing does.
      const [first, second] = known.length === 1 ? known : known.filter((member) => member.binding.isPeer(host));
      if (second) {
        for (const member of known) member.hint = `several streams of ${host} use the SSRC ${ssrc}: they cannot be told apart on a shared port; give these cameras a port for each stream (mediaMode: port-per-stream)`;
        return null;
      }
      return first?.kind === kind ? first : null;
    }
    const seen = this.#sight(`${host} ${ssrc}`, now);
    const waiting = this.#awaitedFrom(kind, host);
    if (waiting.length > 1) {
      for (const member of waiting) {
        member.hint = `packets with the SSRC ${ssrc}, which was neither offered nor answered, come from ${host}, where ${waiting.length} streams are awaited: they cannot be told apart on a shared port; give these cameras a port for each stream (mediaMode: port-per-stream)`;
      }
      return null;
    }
    const only = waiting[0];
    if (!only) return null;
    if (seen.since < (this.#members.get(only)?.openedAt ?? 0)) {
      only.hint = `packets with the SSRC ${ssrc} come from ${host} since before this stream was asked for: the camera goes on sending a former one, or its encoder numbers all of them so; restart it, or give it a port for each stream (mediaMode: port-per-stream)`;
      return null;
    }
    return only;
  }

  /** A packet was accepted. */
  taken(member: SharedMember, ssrc: number, host: string): void {
    this.#waiting.delete(member);
    if (this.#members.get(member)?.ssrcs.includes(ssrc)) return;
    this.#sightings.delete(`${host} ${ssrc}`);
    this.index(member);
  }

  /** The stream that is bound to this SSRC at this address, for RTCP. */
  bound(ssrc: number, host: string): SharedMember | null {
    return this.#bySsrc.get(ssrc)?.find(({ binding }) => binding.bound?.ssrc === ssrc && binding.bound.host === host) ?? null;
  }

  #awaitedFrom(kind: SharedMember['kind'], host: string): SharedMember[] {
    return [...this.#waiting].filter((member) => member.kind === kind && !member.binding.strict && member.binding.peerHost === host);
  }

  #sight(key: string, now: number): { since: number; last: number } {
    const known = this.#sightings.get(key);
    const sighting = { since: known && now - known.last <= CONTINUOUS_MS ? known.since : now, last: now };
    this.#sightings.delete(key);
    this.#sightings.set(key, sighting);
    if (this.#sightings.size > MAX_SIGHTINGS) this.#sightings.delete(this.#sightings.keys().next().value as string);
    return sighting;
  }

  #unindex(member: SharedMember): void {
    for (const ssrc of this.#members.get(member)?.ssrcs ?? []) {
      const left = this.#bySsrc.get(ssrc)?.filter((other) => other !== member) ?? [];
      if (left.length > 0) this.#bySsrc.set(ssrc, left);
      else this.#bySsrc.delete(ssrc);
    }
  }
}
