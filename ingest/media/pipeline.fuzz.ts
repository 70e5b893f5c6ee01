import type { FuzzTarget } from '../../base/fuzz-target.js';
import type { AccessUnit } from '../access-unit.js';
import { MediaPipeline } from './pipeline.js';
import { Rfc4571Deframer } from './rfc4571.js';
import { parseRtp } from './rtp-packet.js';

const MAX_UNIT = 100_000;

/** Frames of RFC 4571 → RTP → pictures, with and without reordering; what comes out must keep the contract of `AccessUnit`. */
export const target: FuzzTarget = {
  name: 'media-pipeline',
  corpusDir: 'ingest/media/corpus/pipeline',
  run(input) {
    for (const reorder of [false, true]) {
      let last: AccessUnit | null = null;
      let wrong: string | null = null;
      const pipeline = new MediaPipeline({
        cameraId: 'fuzz',
        reorder,
        maxUnitBytes: MAX_UNIT,
        onUnit(unit) {
          if (last === null && !unit.keyframe) throw new Error('the first unit is no keyframe');
          if (last && (unit.pts <= last.pts || unit.capturedAt <= last.capturedAt)) throw new Error('time stood still or fell');
          if (!Number.isSafeInteger(unit.pts) || !Number.isSafeInteger(unit.capturedAt)) throw new Error('a time that is no whole number');
          if (unit.data.length < 4 || unit.data[0] !== 0) throw new Error('no Annex-B');
          last = unit;
        },
        onAudio(unit) {
          // Thrown here it would be swallowed: sound never ends anything.
          if (!Number.isSafeInteger(unit.pts) || !Number.isSafeInteger(unit.capturedAt) || unit.data.length === 0) wrong = 'sound without time or bytes';
          if (last === null) wrong = 'sound before the first picture';
        },
        onEvent: () => undefined,
      });
      let now = 1_000_000;
      const deframer = new Rfc4571Deframer((frame, damaged) => {
        const packet = parseRtp(frame);
        if (typeof packet !== 'string') pipeline.push(packet, (now += 5), damaged);
        const { bufferedBytes } = pipeline.stats;
        if (bufferedBytes > MAX_UNIT + 3 * 65_536 + 256 * 65_536) throw new Error(`${bufferedBytes} bytes kept`);
      });
      deframer.push(Buffer.from(input));
      pipeline.poll(now + 1000);
      pipeline.flush(now + 1000);
      if (wrong !== null) throw new Error(wrong);
    }
  },
};
