import { pumpPackets } from '../../../ingest/media/pipeline.js';
import { measureFfmpeg } from '../ffmpeg.js';
import { programStream } from '../program-stream.js';
import { repeatFor, type BenchRow } from '../row.js';

/** Loops of the stream in one round, so that a process's start is little of ffmpeg's time. */
const LOOPS = 12;

/** The receive path without sockets and disk: RTP packets to access units. */
export const pureReceive: BenchRow = {
  name: 'pure-receive',
  async run({ inputs, seconds, progress }) {
    const clip = inputs.stream();
    const stream = programStream(inputs, clip.file, LOOPS);
    const bytes = stream.packets.reduce((sum, packet) => sum + packet.length, 0);
    const mediaSeconds = stream.pictures / 25;
    const pump = (reorder: boolean): number => {
      let units = 0;
      pumpPackets(stream.packets, { cameraId: 'bench', reorder, onUnit: () => void units++, onEvent: () => undefined }, 1_767_225_600_000, (mediaSeconds * 1000) / stream.packets.length);
      if (units !== stream.pictures) throw new Error(`${units} access units came out of ${stream.pictures} pictures`);
      return mediaSeconds;
    };
    progress('pure receive path');
    pump(true);
    const measured = await repeatFor(seconds, () => pump(true));
    progress('reference: ffmpeg reads the same program stream');
    const reference = await measureFfmpeg(['-f', 'mpeg', '-i', stream.file, '-c', 'copy', '-f', 'null', '-'], mediaSeconds);
    const rate = (bytes / mediaSeconds) * (1000 / (measured.cpuMs / measured.cases));
    return [
      {
        what: 'RTP packets to access units',
        unit: 'camera-second',
        measured,
        reference: { what: 'ffmpeg -c copy -f null, the PS without RTP', measured: reference },
        notes: [`${stream.packets.length} packets of ${clip.what}; ${(rate / 1e6).toFixed(0)} MB of RTP a second of one core`],
      },
    ];
  },
};
