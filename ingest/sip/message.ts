/**
 * SIP messages as values (RFC 3261 clause 7).
 *
 * Header text is kept as one code unit per byte (latin1): what we echo in a response is then byte for byte what the peer
 * sent, even where a camera put GB2312 into a display name.
 */

const COMPACT: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
};

export interface HeaderField {
  /** Long form, in the letter case in which it is written out. */
  name: string;
  value: string;
}

/** Ordered header fields; names are matched without case and in long or compact form. */
export class SipHeaders {
  readonly #fields: { key: string; name: string; value: string }[] = [];
  /** What was read out of fields: each is asked for several times on a message's way. Forgotten when a field changes. */
  readonly #known = new Map<string, unknown>();

  static of(fields: readonly (readonly [name: string, value: string])[]): SipHeaders {
    const headers = new SipHeaders();
    for (const [name, value] of fields) headers.add(name, value);
    return headers;
  }

  add(name: string, value: string): this {
    this.#known.clear();
    const long = name.length === 1 ? (COMPACT[name.toLowerCase()] ?? name) : name;
    this.#fields.push({ key: long.toLowerCase(), name: long, value });
    return this;
  }

  /** Puts a field before all others of any name: a new topmost Via. */
  addFirst(name: string, value: string): this {
    this.#known.clear();
    this.#fields.unshift({ key: name.toLowerCase(), name, value });
    return this;
  }

  /** Replaces every field of that name by one. */
  set(name: string, value: string): this {
    return this.remove(name).add(name, value);
  }

  remove(name: string): this {
    this.#known.clear();
    const key = name.toLowerCase();
    for (let i = this.#fields.length - 1; i >= 0; i--) {
      if (this.#fields[i]?.key === key) this.#fields.splice(i, 1);
    }
    return this;
  }

  /** The first field of that name. */
  get(name: string): string | undefined {
    const key = name.toLowerCase();
    for (const field of this.#fields) if (field.key === key) return field.value;
    return undefined;
  }

  /** All fields of that name, in order, not split at commas. */
  all(name: string): string[] {
    const key = name.toLowerCase();
    const values: string[] = [];
    for (const field of this.#fields) if (field.key === key) values.push(field.value);
    return values;
  }

  /** What `read` makes of these fields, read once and shared: nobody may change it. What it throws is not kept. */
  once<T>(what: string, read: () => T): T {
    if (this.#known.has(what)) return this.#known.get(what) as T;
    const value = read();
    this.#known.set(what, value);
    return value;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  fields(): readonly HeaderField[] {
    return this.#fields;
  }
}

export interface SipRequest {
  kind: 'request';
  method: string;
  uri: string;
  headers: SipHeaders;
  body: Uint8Array;
}

export interface SipResponse {
  kind: 'response';
  /** 100 to 699. */
  status: number;
  reason: string;
  headers: SipHeaders;
  body: Uint8Array;
}

export type SipMessage = SipRequest | SipResponse;

/** Why a message that could be read is still refused, and the status code that says so to its sender. */
export interface SipFault {
  status: 400 | 505;
  reason: string;
}

export const NO_BODY = new Uint8Array(0);
