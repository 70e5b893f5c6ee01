import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Mp4Clip } from '../simulators/camera/media/mp4-clip.js';
import { PsMuxer } from '../simulators/camera/media/ps-muxer.js';
import { RtpPacketiser } from '../simulators/camera/media/rtp.js';
import { misbehaviourSchema } from '../simulators/camera/misbehaviour.js';
import type { Inputs } from './inputs.js';

/** A clip as a camera sends it. */
export interface ProgramStream {
  /** The program stream as a file. */
  file: string;
  /** The same bytes as RTP packets. */
  packets: Buffer[];
  pictures: number;
}

/** Muxes a clip, shown `loops` times, with times that go on from one to the next. */
export function programStream(inputs: Inputs, clipFile: string, loops: number): ProgramStream {
  const clip = Mp4Clip.open(clipFile);
  const muxer = new PsMuxer(clip.codec, null, clip.peakBitrate(), misbehaviourSchema.parse({}));
  const rtp = new RtpPacketiser({ ssrc: 1, payloadType: 96, sequenceStart: 0, marker: 'last', extras: false, glued: false });
  const packs: Buffer[] = [];
  const packets: Buffer[] = [];
  let ticks = 90_000;
  for (let loop = 0; loop < loops; loop++) {
    for (let i = 0; i < clip.length; i++) {
      const { annexB, key, duration } = clip.picture(i);
      const pack = muxer.picture(annexB, key, ticks);
      packs.push(pack);
      packets.push(...rtp.packetise(pack, ticks));
      ticks += duration;
    }
  }
  const file = inputs.path(`${basename(clipFile, '.mp4')}-${loops}.ps`);
  if (!existsSync(file)) {
    const making = `${file}.${process.pid}`;
    writeFileSync(making, Buffer.concat(packs));
    renameSync(making, file);
  }
  return { file, packets, pictures: packs.length };
}
