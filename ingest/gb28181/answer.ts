import { isIP } from 'node:net';
import { messageOf } from '../../base/errors.js';
import type { MediaTransportKind } from '../media/media-transport.js';
import { parseSdp, sdpAttribute, type Sdp, type SdpMedia } from './sdp.js';

/** What a camera's 200 OK says about its stream. */
export interface MediaAnswer {
  /** Null where the 200 had none, or none that can be read. */
  sdp: Sdp | null;
  /** The ten digits finally agreed: the camera's own choice where it made one, else ours. */
  ssrc: string;
  /** True where the camera chose another SSRC than offered. */
  ssrcChosenByCamera: boolean;
  /** Where the media should come from; port 0 where the camera does not say. Null without a description. */
  remoteMedia: { host: string; port: number } | null;
  /** RTP payload types with their encodings (`PS/90000`), where given. */
  payloads: readonly { type: number; encoding: string | null }[];
  /** Bytes of a download, where the camera says so (`a=filesize`). */
  fileSize: number | null;
  /** Oddities that may explain a stream that never comes. */
  notes: readonly string[];
}

const PRIVATE_ENCODINGS = /^(?:DAHUA|HIKVISION|HIK)\b/i;

/**
 * Understands the answer, forgiving all that still leaves a stream possible.
 * @param peerHost where the answer came from, used where the description names an address that cannot be right
 * @returns the answer, or the reason why no stream can come of it
 */
export function readAnswer(body: Uint8Array, offered: { ssrc: string; transport: MediaTransportKind }, peerHost: string): MediaAnswer | { problem: string } {
  const answer = understand(body, offered, peerHost);
  // Port 9 is the discard port of one who dials (RFC 4145 4.1).
  if ('problem' in answer || offered.transport !== 'tcp-active' || (answer.remoteMedia !== null && answer.remoteMedia.port > 9)) return answer;
  return { problem: `it does not say where it listens${answer.remoteMedia ? ` (port ${answer.remoteMedia.port})` : ''}: it cannot do TCP active, use tcp-passive or udp` };
}

function understand(body: Uint8Array, offered: { ssrc: string; transport: MediaTransportKind }, peerHost: string): MediaAnswer | { problem: string } {
  const notes: string[] = [];
  const bare = (): MediaAnswer => ({ sdp: null, ssrc: offered.ssrc, ssrcChosenByCamera: false, remoteMedia: null, payloads: [], fileSize: null, notes });
  if (body.length === 0) {
    notes.push('the 200 OK carries no session description');
    return bare();
  }
  let sdp: Sdp;
  try {
    sdp = parseSdp(body);
  } catch (error) {
    notes.push(messageOf(error));
    return bare();
  }
  const video = sdp.media.find((media) => media.kind === 'video') ?? null;
  if (!video && sdp.media.length > 0) return { problem: `the camera offers ${sdp.media.map((media) => media.kind).join(', ')} but no video` };
  if (!video) notes.push('the answer has no readable m= line');
  const payloads = video ? payloadsOf(sdp, video) : [];
  const own = payloads.find((payload) => payload.encoding !== null && PRIVATE_ENCODINGS.test(payload.encoding));
  if (own && payloads.every((payload) => payload.encoding === null || PRIVATE_ENCODINGS.test(payload.encoding))) {
    return { problem: `the camera sends a private stream (${own.encoding}); switch its GB/T 28181 stream to PS, and "smart" or private coding off` };
  }
  if (video) checkTransport(sdp, video, offered.transport, notes);
  const { ssrc, chosen } = agreeSsrc(sdp.ssrc, offered.ssrc, notes);
  const named = video?.connection ?? sdp.connection;
  const remoteMedia = video ? { host: usableHost(named, peerHost, notes), port: video.port } : null;
  return { sdp, ssrc, ssrcChosenByCamera: chosen, remoteMedia, payloads, fileSize: fileSizeOf(sdp, video), notes };
}

function payloadsOf(sdp: Sdp, video: SdpMedia): { type: number; encoding: string | null }[] {
  const maps = new Map<number, string>();
  for (const [name, value] of [...video.attributes, ...sdp.attributes]) {
    const match = name.toLowerCase() === 'rtpmap' ? /^(\d{1,3})\s+(\S+)/.exec(value) : null;
    if (match) maps.set(Number(match[1]), match[2] as string);
  }
  return video.formats.filter((format) => /^\d{1,3}$/.test(format)).map((format) => ({ type: Number(format), encoding: maps.get(Number(format)) ?? null }));
}

function fileSizeOf(sdp: Sdp, video: SdpMedia | null): number | null {
  const text = sdpAttribute(sdp, video, 'filesize');
  const size = text !== null && /^\d{1,15}$/.test(text) ? Number(text) : 0;
  return size > 0 ? size : null;
}

function checkTransport(sdp: Sdp, video: SdpMedia, asked: MediaTransportKind, notes: string[]): void {
  const tcp = video.protocol.startsWith('TCP');
  if (tcp !== (asked !== 'udp')) notes.push(`the answer says ${tcp ? 'TCP' : 'UDP'} although ${asked === 'udp' ? 'UDP' : 'TCP'} was asked for`);
  const setup = sdpAttribute(sdp, video, 'setup')?.toLowerCase();
  if (asked === 'tcp-passive' && setup === 'passive') notes.push('the answer says setup:passive: camera and server would both wait for a connection');
  if (asked === 'tcp-active' && setup === 'active') notes.push('the answer says setup:active: camera and server would both dial');
  const direction = sdpAttribute(sdp, video, 'inactive') !== null ? 'inactive' : sdpAttribute(sdp, video, 'recvonly') !== null ? 'recvonly' : null;
  if (direction) notes.push(`the answer says ${direction}: the camera does not mean to send`);
  if (video.port === 0) notes.push('the answer gives port 0 for the video');
}

/** The answering side may choose its own SSRC; anything that is not ten digits is no choice. */
function agreeSsrc(answered: string | null, offered: string, notes: string[]): { ssrc: string; chosen: boolean } {
  if (answered === null || answered === offered) return { ssrc: offered, chosen: false };
  if (/^[01]\d{9}$/.test(answered)) return { ssrc: answered, chosen: true };
  notes.push(`the answer's y=${answered.slice(0, 20)} is not an SSRC of ten digits and is ignored`);
  return { ssrc: offered, chosen: false };
}

const PRIVATE_V4 = /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|127\.|0\.)/;

function usableHost(named: string | null, peerHost: string, notes: string[]): string {
  if (named === null || named === peerHost) return peerHost;
  if (isIP(named) === 0 || named === '0.0.0.0' || named === '::') {
    notes.push(`the answer's media address ${named.slice(0, 45)} is unusable; ${peerHost} is expected`);
    return peerHost;
  }
  if (PRIVATE_V4.test(named) && !PRIVATE_V4.test(peerHost)) {
    notes.push(`the answer names the private address ${named}; behind its router the camera is ${peerHost}`);
    return peerHost;
  }
  return named;
}
