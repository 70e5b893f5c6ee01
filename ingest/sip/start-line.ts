/** The three parts of a request line (RFC 3261 7.1). `clean` is false where more than single spaces part them. */
export interface RequestLine {
  method: string;
  uri: string;
  major: number;
  minor: number;
  clean: boolean;
}

const VERSION = /^SIP\/(\d{1,5})\.(\d{1,5})$/i;

/** Reads `method SP uri SP SIP/2.0`, null where the text has not that shape. By index, not by pattern: linear in any text. */
export function splitRequestLine(line: string): RequestLine | null {
  const text = line.trimEnd();
  const first = text.indexOf(' ');
  const last = text.lastIndexOf(' ');
  if (first <= 0 || last === first) return null;
  const version = VERSION.exec(text.slice(last + 1));
  if (!version) return null;
  const between = text.slice(first + 1, last);
  const uri = between.trim();
  return {
    method: text.slice(0, first),
    uri,
    major: Number(version[1]),
    minor: Number(version[2]),
    clean: uri === between && uri !== '' && !/\s/.test(uri),
  };
}
