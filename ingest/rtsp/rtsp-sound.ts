import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { AudioUnit } from '../audio-unit.js';
import { demux } from '../demux/demux-process.js';
import type { DemuxedSound, DemuxInput } from '../demux/demux-protocol.js';
import { AAC_FRAME_SAMPLES, parseAudioSpecificConfig } from '../media/adts.js';
import { AudioPlacer } from '../media/audio-placer.js';
import type { CaptureClock } from '../media/capture-clock.js';

export interface RtspSoundOptions {
  cameraId: string;
  input: Extract<DemuxInput, { kind: 'rtsp' }>;
  /** What notes call the camera. */
  name: string;
  /** Of the pictures beside which the sound stands. */
  capture: CaptureClock;
  clock: Clock;
  logger: Logger;
  onAudio(unit: AudioUnit): void;
}

const RETRY_MS = 60_000;
/** A camera that has no sound, or another kind, may be set otherwise by people. */
const RETRY_WITHOUT_SOUND_MS = 3_600_000;

/**
 * The sound of an RTSP camera, pulled by a session and a child process of its own: whatever is wrong with it, the session of the
 * pictures never notices. It has no clock in common with the pictures, so it is tied to them by its arrival.
 */
export class RtspSound {
  readonly #options: RtspSoundOptions;
  #told = '';

  constructor(options: RtspSoundOptions) {
    this.#options = options;
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, cameraId } = this.#options;
    while (!signal.aborted) {
      let pause = RETRY_MS;
      try {
        await this.#pull(signal);
      } catch (error) {
        if (error instanceof BerthwatchError && (error.code === 'INGEST_RTSP_NO_AUDIO' || error.code === 'INGEST_RTSP_AUDIO_CODEC')) pause = RETRY_WITHOUT_SOUND_MS;
        const message = messageOf(error);
        if (message !== this.#told && !signal.aborted) logger.info({ cameraId, reason: message }, 'no sound from the camera; its pictures are recorded all the same');
        this.#told = message;
      }
      await sleep(clock, pause, signal).catch(() => undefined);
    }
  }

  async #pull(signal: AbortSignal): Promise<void> {
    const { input, name, logger, cameraId, capture, clock, onAudio } = this.#options;
    const placer = new AudioPlacer(cameraId, capture);
    let sound: DemuxedSound | null = null;
    for await (const { data } of demux(input, name, signal, logger, { sound: (found) => void (sound = found) })) {
      const format = known(sound);
      if (format === null) continue;
      const samples = format.codec === 'aac' ? AAC_FRAME_SAMPLES : data.length / format.channels;
      const unit = placer.place({ ...format, ticks: null, duration: (samples * 90_000) / format.sampleRate, data: Buffer.from(data) }, clock.now());
      if (unit) onAudio(unit);
    }
  }
}

/** AAC says rate and channels in its configuration, G.711 in the session description. */
function known(sound: DemuxedSound | null): { codec: DemuxedSound['codec']; sampleRate: number; channels: number; config: Buffer | null } | null {
  if (sound === null) return null;
  if (sound.codec !== 'aac') return sound.sampleRate > 0 ? { ...sound, config: null } : null;
  const config = Buffer.from(sound.config ?? '', 'base64');
  const says = parseAudioSpecificConfig(config);
  return says && { codec: 'aac', ...says, config };
}
