import { childOf, childrenOf, integerOf, type XmlElement } from './xml.js';

export interface PartsOptions<T> {
  /** Name of the list element, for example `DeviceList`. */
  list: string;
  /** Null for an item that cannot be used; it then counts as delivered. */
  read: (item: XmlElement) => T | null;
  /** Equal for two copies of one item. */
  keyOf: (item: T) => string;
  /** Items beyond this are not kept: a device cannot fill our memory. */
  max: number;
}

/** A list that came in parts. */
export interface PartsResult<T> {
  items: readonly T[];
  /** What the device said it would send. */
  total: number;
  /** False where parts were lost: fewer items came than announced. */
  complete: boolean;
}

/**
 * Puts the parts of one answer together (Catalog, RecordInfo, PresetQuery; GB/T 28181-2016 9.5 and 9.7). Parts come in any
 * number of messages, may be repeated, and may be lost; an item that comes again replaces its earlier copy.
 */
export class PartsCollector<T> {
  readonly #options: PartsOptions<T>;
  readonly #items = new Map<string, T>();
  #total: number | null = null;
  #unusable = 0;
  /** Different items that found no room; they count as delivered. */
  #beyond = 0;
  #parts = 0;

  constructor(options: PartsOptions<T>) {
    this.#options = options;
  }

  get parts(): number {
    return this.#parts;
  }

  /** The list was asked for once more: what came is kept, what it announced counts anew. */
  again(): void {
    this.#total = null;
    this.#unusable = 0;
    this.#beyond = 0;
  }

  add(response: XmlElement): void {
    this.#parts++;
    const { list: listName, read, keyOf, max } = this.#options;
    const list = childOf(response, listName);
    const said = integerOf(response, 'SumNum') ?? (list ? null : 0);
    if (said !== null && said >= 0) this.#total = Math.max(this.#total ?? 0, said);
    // Lists that the 2016 edition sends whole have no SumNum: their own Num is all there will be.
    else if (this.#total === null && list) this.#total = numberAttribute(list);
    for (const element of list ? childrenOf(list, 'Item') : []) {
      const item = read(element);
      if (item === null) {
        this.#unusable++;
        continue;
      }
      const key = keyOf(item);
      if (this.#items.has(key) || this.#items.size < max) this.#items.set(key, item);
      else this.#beyond++;
    }
  }

  get done(): boolean {
    return this.#total !== null && this.#items.size + this.#unusable + this.#beyond >= this.#total;
  }

  result(): PartsResult<T> {
    const items = [...this.#items.values()];
    return { items, total: this.#total ?? items.length, complete: this.done && this.#beyond === 0 };
  }
}

function numberAttribute(list: XmlElement): number | null {
  const text = [...list.attributes].find(([name]) => name.toLowerCase() === 'num')?.[1].trim();
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}
