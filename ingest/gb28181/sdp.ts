import { BerthwatchError } from '../../base/errors.js';

/** One `m=` block (RFC 8866 5.14). */
export interface SdpMedia {
  kind: string;
  port: number;
  /** For example `RTP/AVP` or `TCP/RTP/AVP`, upper case. */
  protocol: string;
  formats: readonly string[];
  /** Host of the block's own `c=`. */
  connection: string | null;
  attributes: readonly (readonly [name: string, value: string])[];
}

/** What GB/T 28181 needs of a session description (2016 edition clause 9.2, annex C; 2022 annex G). */
export interface Sdp {
  originUser: string | null;
  sessionName: string | null;
  connection: string | null;
  media: readonly SdpMedia[];
  attributes: readonly (readonly [name: string, value: string])[];
  /** `y=` as written. */
  ssrc: string | null;
  /** `f=` as written. */
  format: string | null;
}

const MAX_LINES = 512;

/**
 * Reads a description line by line; lines that make no sense are left out, since cameras put their own there. `y=` and
 * `f=` belong to the session wherever they stand.
 * @throws BerthwatchError bad-input where there is no description at all
 */
export function parseSdp(body: Uint8Array): Sdp {
  const lines = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 65_536))
    .toString('latin1')
    .split(/\r\n|\n|\r/, MAX_LINES)
    .map((line) => /^\s*([a-z])=(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => [match[1] as string, (match[2] as string).trim()] as const);
  if (!lines.some(([key]) => key === 'v' || key === 'm')) throw new BerthwatchError('bad-input', 'GB_SDP', 'the body is no session description: it has neither v= nor m=');
  const media: (SdpMedia & { attributes: [string, string][] })[] = [];
  const attributes: [string, string][] = [];
  const sdp = { originUser: null as string | null, sessionName: null as string | null, connection: null as string | null, ssrc: null as string | null, format: null as string | null };
  for (const [key, value] of lines) {
    const block = media.at(-1);
    if (key === 'o') sdp.originUser ??= value.split(/\s+/)[0] || null;
    else if (key === 's') sdp.sessionName ??= value;
    else if (key === 'y') sdp.ssrc ??= value;
    else if (key === 'f') sdp.format ??= value;
    else if (key === 'c') {
      const host = (value.split(/\s+/)[2] ?? '').split('/')[0] || null;
      if (block) block.connection ??= host;
      else sdp.connection ??= host;
    } else if (key === 'm') {
      const parsed = readMedia(value);
      if (parsed) media.push(parsed);
    } else if (key === 'a') {
      const colon = value.indexOf(':');
      const pair: [string, string] = colon < 0 ? [value, ''] : [value.slice(0, colon), value.slice(colon + 1).trim()];
      (block?.attributes ?? attributes).push(pair);
    }
  }
  return { ...sdp, media, attributes };
}

function readMedia(value: string): (SdpMedia & { attributes: [string, string][] }) | null {
  const [kind, port, protocol, ...formats] = value.split(/\s+/);
  const number = /^(\d{1,5})(?:\/\d+)?$/.exec(port ?? '');
  if (!kind || !number || !protocol || Number(number[1]) > 65_535) return null;
  return { kind: kind.toLowerCase(), port: Number(number[1]), protocol: protocol.toUpperCase(), formats: formats.slice(0, 64), connection: null, attributes: [] };
}

/** The value of an attribute of a block, else of the session; null where neither has it. */
export function sdpAttribute(sdp: Sdp, media: SdpMedia | null, name: string): string | null {
  const lower = name.toLowerCase();
  const find = (list: SdpMedia['attributes']): string | undefined => list.find(([key]) => key.toLowerCase() === lower)?.[1];
  return (media ? find(media.attributes) : undefined) ?? find(sdp.attributes) ?? null;
}
