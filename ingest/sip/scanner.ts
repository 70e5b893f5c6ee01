import { BerthwatchError } from '../../base/errors.js';

export function sipError(message: string): BerthwatchError {
  return new BerthwatchError('bad-input', 'SIP_SYNTAX', message);
}

/** A text of the peer's, shortened and made printable for messages and logs. */
export function excerpt(text: string, max = 60): string {
   
  const printable = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '.');
  return printable.length > max ? `${printable.slice(0, max)}…` : printable;
}

const TOKEN = /[A-Za-z0-9\-.!%*_+`'~]+/y;

/** RFC 3261 25.1 `token`. */
export function isToken(text: string): boolean {
  TOKEN.lastIndex = 0;
  const match = TOKEN.exec(text);
  return match !== null && match[0].length === text.length;
}

/** A cursor over one header value; every method moves forward, so that reading is linear in the value's length. */
export class Scanner {
  #at = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.text.length;
  }

  get rest(): string {
    return this.text.slice(this.#at);
  }

  peek(): string {
    return this.text[this.#at] ?? '';
  }

  skipSpace(): this {
    while (this.peek() === ' ' || this.peek() === '\t') this.#at++;
    return this;
  }

  /** Consumes `char` if it is next. */
  take(char: string): boolean {
    if (this.peek() !== char) return false;
    this.#at++;
    return true;
  }

  expect(char: string): void {
    if (!this.take(char)) throw sipError(`"${char}" is missing in "${excerpt(this.text)}"`);
  }

  /** Everything up to (not including) the first of `stops`, or the end. */
  until(stops: string): string {
    const { text } = this;
    const from = this.#at;
    let at = from;
    while (at < text.length && !stops.includes(text[at] as string)) at++;
    this.#at = at;
    return text.slice(from, at);
  }

  token(what: string): string {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.text);
    if (!match) throw sipError(`${what} is missing or malformed in "${excerpt(this.text)}"`);
    this.#at = TOKEN.lastIndex;
    return match[0];
  }

  /** A quoted string, the cursor standing on its first quote; returns its content with escapes undone. */
  quoted(): string {
    this.expect('"');
    let content = '';
    for (;;) {
      if (this.atEnd) throw sipError(`a quoted string does not end in "${excerpt(this.text)}"`);
      const char = this.peek();
      this.#at++;
      if (char === '"') return content;
      if (char === '\\') {
        if (this.atEnd) throw sipError(`a quoted string does not end in "${excerpt(this.text)}"`);
        content += this.peek();
        this.#at++;
      } else content += char;
    }
  }
}

/** `"` and `\` escaped, quotes around. */
export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** Splits a header value at the commas that stand outside quotes and angle brackets. */
export function splitList(value: string): string[] {
  if (!value.includes(',')) return [value.trim()];
  const parts: string[] = [];
  let from = 0;
  let inQuotes = false;
  let inAngles = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i];
    if (inQuotes) {
      if (char === '\\') i++;
      else if (char === '"') inQuotes = false;
    } else if (char === '"') inQuotes = true;
    else if (char === '<') inAngles = true;
    else if (char === '>') inAngles = false;
    else if (char === ',' && !inAngles) {
      parts.push(value.slice(from, i).trim());
      from = i + 1;
    }
  }
  parts.push(value.slice(from).trim());
  return parts;
}
