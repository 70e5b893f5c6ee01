/** The few SDP lines of GB/T 28181 (2016 clause 9.2 and annex F; 2022 annex G) that a camera reads and writes. */
export interface SdpOffer {
  /** `Play`, `Playback`, `Download`, `Talk`. */
  sessionName: string;
  host: string;
  port: number;
  transport: 'udp' | 'tcp';
  /** Role of the offerer: passive = the platform listens and we dial out. */
  setup: 'active' | 'passive' | 'actpass' | null;
  /** Ten digits of `y=`, as sent; null when absent. */
  ssrc: string | null;
  payloadTypes: number[];
  /** Which stream was asked for, in any of the known dialects. */
  stream: 'main' | 'sub';
  /** `t=` of a wish for a recording, Unix seconds; 0 0 when live. */
  from: number;
  to: number;
  /** `a=downloadspeed`; 1 without it. */
  downloadSpeed: number;
}

/** Null when there is no usable video description. */
export function parseOffer(text: string): SdpOffer | null {
  const offer: SdpOffer = { sessionName: '', host: '', port: 0, transport: 'udp', setup: null, ssrc: null, payloadTypes: [], stream: 'main', from: 0, to: 0, downloadSpeed: 1 };
  let media = '';
  for (const line of text.split(/\r?\n/)) {
    const value = line.slice(2).trim();
    switch (line.slice(0, 2)) {
      case 's=':
        offer.sessionName = value;
        break;
      case 'c=':
        if (media === '' || media === 'video') offer.host = value.split(/\s+/)[2]?.split('/')[0] ?? '';
        break;
      case 'm=': {
        const [kind, port, protocol, ...types] = value.split(/\s+/);
        media = kind ?? '';
        if (media !== 'video') break;
        offer.port = Number(port?.split('/')[0]);
        offer.transport = /TCP/i.test(protocol ?? '') ? 'tcp' : 'udp';
        offer.payloadTypes = types.map(Number).filter((type) => Number.isInteger(type));
        break;
      }
      case 'a=': {
        const setup = /^setup:\s*(active|passive|actpass)/i.exec(value);
        if (setup && media !== 'audio') offer.setup = setup[1]!.toLowerCase() as 'active' | 'passive' | 'actpass';
        const speed = /^downloadspeed:\s*(\d+(?:\.\d+)?)/i.exec(value);
        if (speed) offer.downloadSpeed = Number(speed[1]);
        if (/^(streamnumber|streamprofile|stream):\s*1/i.test(value) || /^streamMode:\s*SUB/i.test(value)) offer.stream = 'sub';
        break;
      }
      case 't=':
        [offer.from, offer.to] = value.split(/\s+/).map(Number) as [number, number];
        break;
      case 'y=':
        offer.ssrc = value;
        break;
      default:
        break;
    }
  }
  return offer.host !== '' && Number.isInteger(offer.port) && offer.port > 0 && offer.port < 65536 ? offer : null;
}

export interface SdpAnswer {
  /** As in the offer. */
  sessionName: string;
  /** `t=` as in the offer. */
  from: number;
  to: number;
  /** Bytes of a download; null where it is not said. */
  fileSize: number | null;
  channelId: string;
  host: string;
  port: number;
  transport: 'udp' | 'tcp';
  setup: 'active' | 'passive' | null;
  /** Ten digits; null leaves `y=` out. */
  ssrc: string | null;
  codec: 'h264' | 'h265';
  payloadType?: number;
  /** Encoding in the rtpmap. */
  encoding?: string;
}

/** The answer: session lines, m, a, then y and f last, as picky platforms want it. */
export function buildAnswer(answer: SdpAnswer): string {
  const family = answer.host.includes(':') ? 'IP6' : 'IP4';
  const lines = [
    'v=0',
    `o=${answer.channelId} 0 0 IN ${family} ${answer.host}`,
    `s=${answer.sessionName}`,
    `c=IN ${family} ${answer.host}`,
    `t=${answer.from} ${answer.to}`,
    `m=video ${answer.port} ${answer.transport === 'tcp' ? 'TCP/RTP/AVP' : 'RTP/AVP'} ${answer.payloadType ?? 96}`,
    'a=sendonly',
    `a=rtpmap:${answer.payloadType ?? 96} ${answer.encoding ?? 'PS/90000'}`,
  ];
  if (answer.transport === 'tcp') lines.push(`a=setup:${answer.setup ?? 'active'}`, 'a=connection:new');
  if (answer.fileSize !== null) lines.push(`a=filesize:${answer.fileSize}`);
  if (answer.ssrc !== null) lines.push(`y=${answer.ssrc}`);
  lines.push(`f=v/${answer.codec === 'h265' ? 5 : 2}/6/25/1/4096a///`);
  return `${lines.join('\r\n')}\r\n`;
}
