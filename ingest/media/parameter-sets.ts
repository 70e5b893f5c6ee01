import type { NalSyntax, VideoFormat } from './video-format.js';

/** Larger ones are damage; real sets are some dozen bytes, with scaling lists some hundred. */
const MAX_SET_BYTES = 8192;
const MAX_SETS = 64;

/** The newest parameter sets of a stream, so that every keyframe can be given the ones it needs. Bounded. */
export class ParameterSets {
  readonly #syntax: NalSyntax;
  readonly #sets = new Map<string, Buffer>();
  #format: VideoFormat | null = null;

  constructor(syntax: NalSyntax) {
    this.#syntax = syntax;
  }

  /** Of the newest sequence parameter set. */
  get format(): VideoFormat | null {
    return this.#format;
  }

  /** Keeps `nal` if it is a parameter set; true where a sequence parameter set replaced a different one. */
  learn(nal: Buffer): boolean {
    if (nal.length > MAX_SET_BYTES) return false;
    const key = this.#syntax.parameterSet(nal);
    if (key === null) return false;
    const old = this.#sets.get(key);
    if (old?.equals(nal)) return false;
    if (!old && this.#sets.size >= MAX_SETS) this.#sets.delete(this.#sets.keys().next().value as string);
    this.#sets.set(key, Buffer.from(nal));
    if (!key.startsWith('sps')) return false;
    this.#format = this.#syntax.format(nal);
    return old !== undefined;
  }

  /** All sets in the order in which a decoder needs them; null while a kind is missing. */
  inOrder(): Buffer[] | null {
    const all: Buffer[] = [];
    for (const kind of this.#syntax.parameterSetOrder) {
      const before = all.length;
      for (const [key, nal] of this.#sets) if (key.startsWith(kind)) all.push(nal);
      if (all.length === before) return null;
    }
    return all;
  }
}
