/**
 * Program of the demux child: reads a recording, or a camera's RTSP stream, with FFmpeg's demuxers and writes its pictures to
 * file descriptor 3 (demux-protocol.ts). A process of its own, because damaged bytes can crash native code.
 */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { AVERROR_EAGAIN, AVERROR_EOF, AVMEDIA_TYPE_AUDIO, AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_AAC, AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_PCM_ALAW, AV_CODEC_ID_PCM_MULAW, AV_LOG_QUIET, AV_LOG_WARNING, AV_NOPTS_VALUE } from 'node-av/constants';
import { BitStreamFilter, BitStreamFilterContext, Dictionary, FFmpegError, FormatContext, Log, Packet, type Stream } from 'node-av/lib';
import { encodeMessage, encodePicture, INPUT_VARIABLE, WINDOW, type DemuxedSound, type DemuxFault, type DemuxInput } from './demux-protocol.js';

/** Containers that recordings come in. Playlists and anything else that opens further files or addresses stay out. */
const FORMATS = 'mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,mpegvideo,h264,hevc,matroska,webm,avi,flv';
const FILTERS = new Map([
  [AV_CODEC_ID_H264, 'h264_mp4toannexb'],
  [AV_CODEC_ID_HEVC, 'hevc_mp4toannexb'],
]);

class Fault extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const out = createWriteStream('', { fd: 3 });
// The parent has gone: nobody wants the rest.
out.on('error', () => process.exit(0));
process.stdin.on('end', () => process.exit(0));
let credits = WINDOW;
let wake: () => void = () => undefined;
process.stdin.on('data', (granted: Buffer) => {
  credits += granted.length;
  wake();
});

async function send(bytes: Buffer): Promise<void> {
  if (!out.write(bytes)) await once(out, 'drain');
}

const reason = (code: number): string => FFmpegError.strerror(code);

async function openFile(input: FormatContext, path: string): Promise<void> {
  const opened = await input.openInput(`file:${path}`, null, Dictionary.fromObject({ protocol_whitelist: 'file', format_whitelist: FORMATS }));
  if (opened < 0) throw new Fault('INGEST_FILE_UNREADABLE', `is no recording that can be read (${reason(opened)}); MP4, MPEG-TS, MPEG-PS, Matroska, H.264 and H.265 can`);
}

async function openRtsp(input: FormatContext, { media, url, transport, timeoutMs }: Extract<DemuxInput, { kind: 'rtsp' }>): Promise<void> {
  const options = Dictionary.fromObject({
    // A camera's answer must not make us open files or other addresses' playlists.
    protocol_whitelist: 'rtsp,rtp,udp,tcp',
    format_whitelist: 'rtsp,sdp,rtp',
    rtsp_transport: transport,
    // One kind alone: with two, FFmpeg ties the times to the camera's wall clock and moves them with each of its reports.
    allowed_media_types: media,
    timeout: String(timeoutMs * 1000),
    buffer_size: String(2 << 20),
  });
  const opened = await input.openInput(url, null, options);
  if (opened < 0) throw new Fault('INGEST_RTSP_REFUSED', explainRtsp(opened, transport));
}

/** What people can do about it, for the errors that happen. */
function explainRtsp(code: number, transport: string): string {
  const text = reason(code);
  if (/401|unauthori[sz]ed/i.test(text)) return 'wants another user or password (401)';
  if (/404|not found/i.test(text)) return 'does not know this path (404): compare it with the stream paths in its manual';
  if (/refused/i.test(text)) return 'takes no connection there (refused): check its RTSP port, and that RTSP is switched on';
  if (/timed out|timeout/i.test(text)) return 'did not answer in time: check its address, its power and the network between';
  if (/461|unsupported transport|not supported/i.test(text)) return `does not send over ${transport}: choose the other rtsp.transport`;
  return `cannot be opened (${text})`;
}

async function open(from: DemuxInput): Promise<{ input: FormatContext; video: Stream; filter: BitStreamFilterContext }> {
  const input = new FormatContext();
  input.allocContext();
  await (from.kind === 'file' ? openFile(input, from.path) : openRtsp(input, from));
  // A camera's description says enough; looking at its first seconds would date its first pictures too late.
  const found = from.kind === 'rtsp' ? 0 : await input.findStreamInfo(null);
  if (found < 0) throw new Fault('INGEST_FILE_UNREADABLE', `holds no streams that can be read (${reason(found)})`);
  const index = from.kind === 'rtsp' ? (input.streams ?? []).findIndex((stream) => stream.codecpar.codecType === AVMEDIA_TYPE_VIDEO) : input.findBestStream(AVMEDIA_TYPE_VIDEO, -1, -1);
  const video = index >= 0 ? input.streams[index] : undefined;
  if (!video) throw new Fault('INGEST_FILE_NO_VIDEO', 'has no video in it');
  const name = FILTERS.get(video.codecpar.codecId);
  const annexB = name === undefined ? null : BitStreamFilter.getByName(name);
  if (!annexB) throw new Fault('INGEST_FILE_CODEC', `has video of a codec that is not supported (${video.codecpar.getCodecString() ?? video.codecpar.codecId}); only H.264 and H.265 are`);
  const filter = new BitStreamFilterContext();
  filter.alloc(annexB);
  const copied = video.codecpar.copy(filter.inputCodecParameters as NonNullable<typeof filter.inputCodecParameters>);
  filter.inputTimeBase = video.timeBase;
  const ready = copied < 0 ? copied : filter.init();
  if (ready < 0) throw new Fault('INGEST_FILE_UNREADABLE', `has damaged codec parameters (${reason(ready)})`);
  return { input, video, filter };
}

/** FFmpeg tells of packets that never came in its log alone, before it gives the picture that they belong to. */
function watchForLoss(): () => boolean {
  let lost = false;
  Log.setCallback((_level, message) => void (lost ||= /RTP: missed \d+ packets|jitter buffer full|dropping old packet/i.test(message)), { maxLevel: AV_LOG_WARNING });
  return () => {
    const was = lost;
    lost = false;
    return was;
  };
}

async function demuxSound(from: Extract<DemuxInput, { kind: 'rtsp' }>): Promise<void> {
  const input = new FormatContext();
  input.allocContext();
  await openRtsp(input, from);
  const sound = (input.streams ?? []).find((stream) => stream.codecpar.codecType === AVMEDIA_TYPE_AUDIO);
  if (!sound) throw new Fault('INGEST_RTSP_NO_AUDIO', 'has no sound');
  const { codecId, sampleRate, channelLayout, extradata } = sound.codecpar;
  const codec = codecId === AV_CODEC_ID_PCM_ALAW ? 'g711a' : codecId === AV_CODEC_ID_PCM_MULAW ? 'g711u' : codecId === AV_CODEC_ID_AAC && extradata ? 'aac' : null;
  if (codec === null) throw new Fault('INGEST_RTSP_AUDIO_CODEC', `has sound of a kind that is not kept (${sound.codecpar.getCodecString() ?? codecId}): set it to G.711 or AAC`);
  const told: DemuxedSound = { codec, sampleRate, channels: channelLayout.nbChannels || 1, config: codec === 'aac' ? (extradata as Buffer).toString('base64') : null };
  await send(encodeMessage('A', Buffer.from(JSON.stringify(told))));
  const packet = new Packet();
  packet.alloc();
  for (;;) {
    const read = await input.readFrame(packet);
    if (read === AVERROR_EAGAIN) continue;
    if (read < 0) throw new Fault('INGEST_RTSP_ENDED', read === AVERROR_EOF ? 'ended the sound' : `sends no more sound (${reason(read)})`);
    const { data } = packet;
    if (packet.streamIndex === sound.index && data && data.length > 0 && credits > 0) {
      credits--;
      await send(encodePicture(null, 0, data));
    }
    packet.unref();
  }
}

async function demux(from: DemuxInput): Promise<void> {
  if (from.kind === 'rtsp' && from.media === 'audio') return demuxSound(from);
  const lost = from.kind === 'rtsp' ? watchForLoss() : (): boolean => false;
  const { input, video, filter } = await open(from);
  const { num, den } = video.timeBase;
  const ticks = (value: bigint): number | null => (value === AV_NOPTS_VALUE ? null : Math.round((Number(value) * num * 90_000) / den));
  const packet = new Packet();
  const converted = new Packet();
  packet.alloc();
  converted.alloc();

  async function drain(): Promise<void> {
    while ((await filter.receivePacket(converted)) >= 0) {
      const data = converted.data;
      const pts = ticks(converted.pts);
      const dts = ticks(converted.dts) ?? pts;
      if (data && data.length > 0) {
        while (credits <= 0) await new Promise<void>((resolve) => (wake = resolve));
        credits--;
        await send(encodePicture(dts, pts === null || dts === null ? 0 : pts - dts, data));
      }
      converted.unref();
    }
  }

  for (;;) {
    const read = await input.readFrame(packet);
    if (read === AVERROR_EAGAIN) continue;
    if (read < 0) {
      if (from.kind === 'rtsp') throw new Fault('INGEST_RTSP_ENDED', read === AVERROR_EOF ? 'ended the stream' : `sends no more (${reason(read)})`);
      if (read !== AVERROR_EOF) await send(encodeMessage('W', Buffer.from(`ends early: ${reason(read)}`)));
      break;
    }
    // What the log said while this was read is still under way to us.
    if (from.kind === 'rtsp') await new Promise((resolve) => setImmediate(resolve));
    if (lost()) await send(encodeMessage('L', Buffer.alloc(0)));
    if (packet.streamIndex === video.index) {
      const sent = await filter.sendPacket(packet);
      if (sent < 0) await send(encodeMessage('W', Buffer.from(`a picture could not be converted: ${reason(sent)}`)));
      else await drain();
    }
    packet.unref();
  }
  await filter.sendPacket(null);
  await drain();
}

// What FFmpeg says is heard by a callback, where anybody listens, and never printed.
Log.setLevel(AV_LOG_QUIET);
try {
  await demux(JSON.parse(process.env[INPUT_VARIABLE] ?? '') as DemuxInput);
  await send(encodeMessage('D', Buffer.alloc(0)));
} catch (error) {
  const fault: DemuxFault =
    error instanceof Fault ? { code: error.code, message: error.message } : { code: 'INGEST_FILE_DEMUX', message: `could not be demuxed: ${error instanceof Error ? error.message : String(error)}` };
  await send(encodeMessage('E', Buffer.from(JSON.stringify(fault))));
}
out.end(() => process.exit(0));
