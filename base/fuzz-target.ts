/** A parser of outside bytes, as the fuzz runner sees it. Lives beside the parser in `<name>.fuzz.ts`. */
export interface FuzzTarget {
  name: string;
  /** Folder with seed inputs and former finds, relative to the project root. */
  corpusDir: string;
  /** Feeds one input. Throws only where the parser broke a promise (crash, unbounded growth), never for bad input. */
  run(input: Uint8Array): void;
}

/** Small seeded generator (mulberry32), so that a fuzz failure can be repeated from its seed. */
export function seededRandom(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x20, 0x22, 0x3c, 0x24, 0xba, 0xbb, 0xbc, 0xe0];

/** An endless stream of mutated corpus entries: bit flips, truncation, insertion, duplication, splicing, plain noise. */
export function* mutations(corpus: readonly Uint8Array[], seed: number): Generator<Uint8Array, never> {
  const random = seededRandom(seed);
  const int = (n: number): number => Math.floor(random() * n);
  const pick = (): Uint8Array => corpus[int(corpus.length)] ?? new Uint8Array();
  for (;;) {
    if (corpus.length === 0 || random() < 0.05) {
      yield Uint8Array.from({ length: int(2048) }, () => int(256));
      continue;
    }
    let bytes = Uint8Array.from(pick());
    const steps = 1 + int(6);
    for (let i = 0; i < steps; i++) {
      const at = int(bytes.length + 1);
      switch (int(7)) {
        case 0:
          if (bytes.length > 0) bytes[int(bytes.length)]! ^= 1 << int(8);
          break;
        case 1:
          if (bytes.length > 0) bytes[int(bytes.length)] = INTERESTING[int(INTERESTING.length)] as number;
          break;
        case 2:
          bytes = bytes.slice(0, at);
          break;
        case 3:
          bytes = bytes.slice(at);
          break;
        case 4: {
          const noise = Uint8Array.from({ length: int(16) }, () => int(256));
          bytes = Uint8Array.from([...bytes.slice(0, at), ...noise, ...bytes.slice(at)]);
          break;
        }
        case 5: {
          const piece = bytes.slice(at, at + int(64));
          bytes = Uint8Array.from([...bytes.slice(0, at), ...piece, ...bytes.slice(at)]);
          break;
        }
        default: {
          const other = pick();
          bytes = Uint8Array.from([...bytes.slice(0, at), ...other.slice(int(other.length + 1))]);
        }
      }
      if (bytes.length > 262_144) bytes = bytes.slice(0, 262_144);
    }
    yield bytes;
  }
}
