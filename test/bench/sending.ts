/**
 * The cameras of the receive rows, in a process of their own so that their CPU time does not count:
 * `node sending.js '<JSON of SendingOptions>'`. Sends until its channel to the parent closes.
 */
import { ClipPlayer } from '../simulators/camera/media/clip-player.js';
import { MediaSession } from '../simulators/camera/media/media-session.js';
import { Mp4Clip } from '../simulators/camera/media/mp4-clip.js';
import { TcpDialSender, UdpSender } from '../simulators/camera/media/senders.js';
import { misbehaviourSchema } from '../simulators/camera/misbehaviour.js';

interface SendingOptions {
  clip: string;
  transport: 'udp' | 'tcp-passive';
  /** One camera a port. */
  streams: { port: number; ssrc: number }[];
  /** A G.711 tone beside the pictures. */
  sound: boolean;
}

const options = JSON.parse(process.argv[2] ?? '') as SendingOptions;
const clip = Mp4Clip.open(options.clip);
const events = {
  connected: () => undefined,
  broken: (reason: string) => {
    process.stderr.write(`sender: ${reason}\n`);
    process.exit(1);
  },
  refused: () => undefined,
  received: () => undefined,
};

for (const [i, { port, ssrc }] of options.streams.entries()) {
  const remote = { host: '127.0.0.1', port };
  const player = new ClipPlayer(clip, { speed: 1, loop: true, timeline: 'held', atEnd: 'still', scenarioStart: null, rewindGops: 0 }, { clipEnded: () => undefined });
  const sender = options.transport === 'udp' ? new UdpSender(remote, events, true) : new TcpDialSender(remote, events);
  await sender.open();
  sender.start();
  const session = new MediaSession(
    player,
    sender,
    { ssrc, payloadType: 96, transport: options.transport === 'udp' ? 'udp' : 'tcp', audio: options.sound ? 'g711a' : null, misbehaviour: misbehaviourSchema.parse({}) },
    () => undefined,
    () => undefined,
  );
  // Cameras do not agree when a second begins: neither do their key frames.
  setTimeout(() => session.begin(), 200 + (1000 * i) / options.streams.length);
}
process.on('disconnect', () => process.exit(0));
