import type { FuzzTarget } from '../../base/fuzz-target.js';
import { h264 } from './h264.js';
import { h265 } from './h265.js';
import { splitAnnexB } from './nal-units.js';
import { ParameterSets } from './parameter-sets.js';
import { plausibleSize } from './video-format.js';

export const target: FuzzTarget = {
  name: 'parameter-sets',
  corpusDir: 'ingest/media/corpus/parameter-sets',
  run(input) {
    const bytes = Buffer.from(input);
    for (const syntax of [h264, h265]) {
      const sets = new ParameterSets(syntax);
      for (const { from, to } of splitAnnexB(bytes)) {
        const nal = bytes.subarray(from, to);
        syntax.role(bytes, from);
        syntax.isKeySlice(bytes, from);
        syntax.announces(bytes, from);
        sets.learn(nal);
        const format = syntax.format(nal);
        if (format && !plausibleSize(format.width, format.height)) throw new Error(`a picture of ${format.width}×${format.height}`);
      }
      const kept = sets.inOrder() ?? [];
      if (kept.length > 64) throw new Error(`${kept.length} parameter sets kept`);
    }
  },
};
