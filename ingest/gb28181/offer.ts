import { isIPv6 } from 'node:net';
import type { MediaTransportKind } from '../media/media-transport.js';
import type { RecordingWish } from './invite.js';

export const STREAM_KINDS = ['main', 'sub'] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

/**
 * How a device wants to be told main or sub stream: 2022 edition, Dahua, TP-Link, and one seen in logs; `none` leaves the
 * choice to the device.
 */
export const STREAM_DIALECTS = ['streamnumber', 'streamprofile', 'streamMode', 'stream', 'none'] as const;
export type StreamDialect = (typeof STREAM_DIALECTS)[number];

export interface OfferParts {
  /** Owner of the session: our server id. */
  serverId: string;
  /** Of `u=` in a wish for a recording. */
  channelId: string;
  mediaHost: string;
  mediaPort: number;
  transport: MediaTransportKind;
  /** Ten digits. */
  ssrc: string;
  stream: StreamKind;
  dialect: StreamDialect;
  recording?: RecordingWish | undefined;
  /** The description of a session that is refreshed: its connection stays (RFC 4145 4.2). */
  existing?: boolean;
}

/**
 * The offer (GB/T 28181-2016 9.2, 9.8, 9.9 and annex C): lines in the order that picky devices want, `y=` behind the media
 * block. Times of a recording are Unix seconds, not NTP's; `u=…:0` means whatever kind of recording there is.
 */
export function buildOffer(parts: OfferParts): Uint8Array {
  const address = `IN ${isIPv6(parts.mediaHost) ? 'IP6' : 'IP4'} ${parts.mediaHost}`;
  const tcp = parts.transport !== 'udp';
  const { recording } = parts;
  const lines = [
    'v=0',
    `o=${parts.serverId} 0 0 ${address}`,
    `s=${recording ? SESSION_NAMES[recording.kind] : 'Play'}`,
    ...(recording ? [`u=${parts.channelId}:0`] : []),
    `c=${address}`,
    recording ? `t=${Math.floor(recording.from / 1000)} ${Math.ceil(recording.to / 1000)}` : 't=0 0',
    `m=video ${parts.mediaPort} ${tcp ? 'TCP/RTP/AVP' : 'RTP/AVP'} 96`,
    'a=recvonly',
    'a=rtpmap:96 PS/90000',
    // The setup attribute is the role of whoever writes it: passive, we listen; active, we dial.
    ...(tcp ? [`a=setup:${parts.transport === 'tcp-active' ? 'active' : 'passive'}`, `a=connection:${parts.existing ? 'existing' : 'new'}`] : []),
    ...streamLines(parts.stream, parts.dialect),
    ...(recording?.kind === 'download' ? [`a=downloadspeed:${recording.speed ?? 1}`] : []),
    `y=${parts.ssrc}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1');
}

const SESSION_NAMES = { playback: 'Playback', download: 'Download' } as const;

function streamLines(stream: StreamKind, dialect: StreamDialect): string[] {
  if (dialect === 'none') return [];
  if (dialect === 'streamMode') return [`a=streamMode:${stream === 'main' ? 'MAIN' : 'SUB'}`];
  return [`a=${dialect}:${stream === 'main' ? 0 : 1}`];
}
