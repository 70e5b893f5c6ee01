import { createRequire } from 'node:module';
import path from 'node:path';
import { existsSync } from 'node:fs';
import { BerthwatchError } from '../../base/errors.js';

/**
 * The typeface of all texts in pictures: Noto Sans for simplified Chinese (OFL 1.1), from an npm package, because a fresh
 * machine has no font that knows Chinese, and because the same text must give the same bytes on every machine.
 */
export const FONT_FAMILY = 'Noto Sans S Chinese Medium';

let file: string | undefined;

/** Path of the font file. @throws BerthwatchError unavailable where the package is not installed whole */
export function fontFile(): string {
  if (file) return file;
  const require = createRequire(import.meta.url);
  // The package exports its index alone; the fonts lie beside it.
  const found = path.join(path.dirname(require.resolve('@embedpdf/fonts-sc')), '..', 'fonts', 'NotoSansHans-Medium.otf');
  if (!existsSync(found)) {
    throw new BerthwatchError('unavailable', 'EVIDENCE_FONT', `the Chinese font ${found} is missing; run npm ci`, { detail: { file: found } });
  }
  return (file = found);
}
