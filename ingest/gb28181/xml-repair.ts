import { BerthwatchError } from '../../base/errors.js';

type Token = { kind: 'text'; text: string } | { kind: 'open' | 'close' | 'empty'; name: string; raw: string };

const TAG = /<(\/?)([A-Za-z_][\w.-]{0,63})((?:\s+[\w.:-]{1,64}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y;
const ENTITY = /&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9A-Fa-f]{1,6});/y;
const MAX_OPEN = 32;

/** `&` that begins no entity, and every `<` and `>`, escaped. */
function escapeText(text: string): string {
  let out = '';
  let from = 0;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) {
    ENTITY.lastIndex = at;
    if (!ENTITY.test(text)) {
      out += `${text.slice(from, at)}&amp;`;
      from = at + 1;
    }
  }
  return (out + text.slice(from)).replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function tokenize(xml: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  // Once an end mark is not found it is nowhere behind either: looked for again each time, the work would grow squared.
  const missing = new Set<string>();
  const endOf = (mark: string, from: number): number => {
    const end = missing.has(mark) ? -1 : xml.indexOf(mark, from);
    if (end < 0) missing.add(mark);
    return end;
  };
  const text = (end: number): void => {
    if (end > at) tokens.push({ kind: 'text', text: xml.slice(at, end) });
    at = end;
  };
  while (at < xml.length) {
    const open = xml.indexOf('<', at);
    if (open < 0) text(xml.length);
    else {
      text(open);
      const skip = xml.startsWith('<?', open) ? '?>' : xml.startsWith('<!--', open) ? '-->' : null;
      const end = skip === null ? -1 : endOf(skip, open + 2);
      TAG.lastIndex = open;
      const tag = end < 0 ? TAG.exec(xml) : null;
      if (end >= 0) at = end + (skip as string).length;
      else if (tag) {
        const kind = tag[1] === '/' ? 'close' : tag[4] === '/' ? 'empty' : 'open';
        tokens.push({ kind, name: tag[2] as string, raw: tag[0] });
        at = TAG.lastIndex;
      } else text(open + 1);
    }
  }
  return tokens;
}

/**
 * Makes well-formed XML of what cameras write: raw `&` and `<` in names and addresses, things that look like tags inside a
 * value, closing tags that close nothing. Well-formed parts stay as they are. One pass, linear in the length.
 * @throws BerthwatchError bad-input where the end is missing (a truncated message) or tags are nested absurdly deep
 */
export function repairXml(xml: string): string {
  const tokens = tokenize(xml);
  const asText = new Set<number>();
  const open: number[] = [];
  tokens.forEach((token, i) => {
    if (token.kind === 'open') {
      if (open.length >= MAX_OPEN) throw new BerthwatchError('bad-input', 'GB_XML', `XML is nested deeper than ${MAX_OPEN}`);
      open.push(i);
    } else if (token.kind === 'close') {
      const match = open.findLastIndex((at) => (tokens[at] as { name: string }).name === token.name);
      if (match < 0) asText.add(i);
      else for (const stray of open.splice(match).slice(1)) asText.add(stray);
    }
  });
  if (open.length > 0) throw new BerthwatchError('bad-input', 'GB_XML', `the element ${(tokens[open[0] as number] as { name: string }).name} does not end`);
  return tokens.map((token, i) => (token.kind === 'text' ? escapeText(token.text) : asText.has(i) ? escapeText(token.raw) : token.raw)).join('');
}
