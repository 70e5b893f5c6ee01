import { isIPv6 } from 'node:net';
import type { MediaTransportKind } from '../media/media-transport.js';

export type StreamKind = 'main' | 'sub';

/**
 * How a device wants to be told main or sub stream: 2022 edition, Dahua, TP-Link, and one seen in logs; `none` leaves the
 * choice to the device.
 */
export type StreamDialect = 'streamnumber' | 'streamprofile' | 'streamMode' | 'stream' | 'none';

export interface OfferParts {
  /** Owner of the session: our server id. */
  serverId: string;
  mediaHost: string;
  mediaPort: number;
  transport: MediaTransportKind;
  /** Ten digits. */
  ssrc: string;
  stream: StreamKind;
  dialect: StreamDialect;
}

/** The live offer (GB/T 28181-2016 9.2, annex C): lines in the order that picky devices want, `y=` behind the media block. */
export function buildOffer(parts: OfferParts): Uint8Array {
  const address = `IN ${isIPv6(parts.mediaHost) ? 'IP6' : 'IP4'} ${parts.mediaHost}`;
  const tcp = parts.transport !== 'udp';
  const lines = [
    'v=0',
    `o=${parts.serverId} 0 0 ${address}`,
    's=Play',
    `c=${address}`,
    't=0 0',
    `m=video ${parts.mediaPort} ${tcp ? 'TCP/RTP/AVP' : 'RTP/AVP'} 96`,
    'a=recvonly',
    'a=rtpmap:96 PS/90000',
    // The setup attribute is the role of whoever writes it: passive, we listen; active, we dial.
    ...(tcp ? [`a=setup:${parts.transport === 'tcp-active' ? 'active' : 'passive'}`, 'a=connection:new'] : []),
    ...streamLines(parts.stream, parts.dialect),
    `y=${parts.ssrc}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1');
}

function streamLines(stream: StreamKind, dialect: StreamDialect): string[] {
  if (dialect === 'none') return [];
  if (dialect === 'streamMode') return [`a=streamMode:${stream === 'main' ? 'MAIN' : 'SUB'}`];
  return [`a=${dialect}:${stream === 'main' ? 0 : 1}`];
}
