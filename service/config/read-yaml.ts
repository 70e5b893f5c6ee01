import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { BerthwatchError, messageOf } from '../../base/errors.js';

/**
 * Reads a YAML file into `schema`. Every problem is listed with file, line and path, unknown keys among them.
 * @throws BerthwatchError bad-input
 */
export function readYaml<S extends z.ZodType>(file: string, schema: S): z.output<S> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new BerthwatchError('bad-input', 'CONFIG_FILE', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
  return parseYaml(text, file, schema);
}

/** Like `readYaml`, from text; `name` stands in messages for the file. */
export function parseYaml<S extends z.ZodType>(text: string, name: string, schema: S): z.output<S> {
  const document = parseDocument(text);
  const broken = document.errors[0];
  if (broken) throw new BerthwatchError('bad-input', 'CONFIG_YAML', `${name} is not YAML: ${broken.message}`);
  let values: unknown;
  try {
    // Aliases can multiply a small file into a huge tree ("billion laughs"); 100 are more than any site needs.
    values = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new BerthwatchError('bad-input', 'CONFIG_YAML', `${name}: ${messageOf(cause)}`, { cause });
  }
  const result = schema.safeParse(values ?? {});
  if (result.success) return result.data;
  const lines = lineNumbers(text);
  const issues = result.error.issues.map((issue) => {
    const node = document.getIn(issue.path as (string | number)[], true) as { range?: [number, number, number] } | undefined;
    const line = node?.range ? lines.of(node.range[0]) : null;
    return { line, path: issue.path.map(String).join('.') || '(top)', message: issue.message };
  });
  const listed = issues.map(({ line, path, message }) => `  ${name}${line === null ? '' : `:${line}`} ${path}: ${message}`);
  throw new BerthwatchError('bad-input', 'CONFIG_VALUE', `${name} has ${listed.length} problem${listed.length === 1 ? '' : 's'}:\n${listed.join('\n')}`, { detail: { issues } });
}

/** Line numbers from 1 of places in a text that may have many problems. */
function lineNumbers(text: string): { of: (offset: number) => number } {
  const ends: number[] = [];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) ends.push(at);
  return {
    of: (offset) => {
      let [low, high] = [0, ends.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((ends[middle] as number) < offset) low = middle + 1;
        else high = middle;
      }
      return low + 1;
    },
  };
}
