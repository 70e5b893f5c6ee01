/** Bytes whose number is known before they are read, so that any part of them can be asked for. */
export interface SizedBody {
  size: number;
  contentType: string;
  /** Changes whenever the bytes do. */
  etag: string;
  /** The bytes from `from` up to and without `to`. */
  read(from: number, to: number): AsyncIterable<Uint8Array>;
}

/** A body in memory. */
export function memoryBody(bytes: Uint8Array, contentType: string, etag: string): SizedBody {
  return {
    size: bytes.length,
    contentType,
    etag,
    async *read(from, to) {
      yield bytes.subarray(from, to);
    },
  };
}

/** Where a part of a body begins, and how to get all of it. */
export interface Part {
  size: number;
  read(): Promise<Uint8Array>;
}

/** A body made of parts that are read one after the other, each only where something of it is wanted. */
export function partsBody(parts: readonly Part[], contentType: string, etag: string): SizedBody {
  const starts: number[] = [];
  let size = 0;
  for (const part of parts) {
    starts.push(size);
    size += part.size;
  }
  return {
    size,
    contentType,
    etag,
    async *read(from, to) {
      for (let i = partAt(starts, from); i < parts.length; i++) {
        const start = starts[i] as number;
        if (start >= to) return;
        const bytes = await (parts[i] as Part).read();
        yield bytes.subarray(Math.max(0, from - start), Math.min(bytes.length, to - start));
      }
    },
  };
}

/** The last part that begins at or before `at`. */
function partAt(starts: readonly number[], at: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
