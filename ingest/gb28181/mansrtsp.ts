import { BerthwatchError } from '../../base/errors.js';
import { excerpt } from '../sip/scanner.js';

/**
 * MANSRTSP: the part of RTSP that steers a recording, carried in INFO (GB/T 28181-2016 9.8 and annex B, 2022 annex B).
 *
 *     PLAY RTSP/1.0            RTSP/1.0 200 OK
 *     CSeq: 3                  CSeq: 3
 *     Scale: 2.0               RTP-Info: seq=…;rtptime=…
 *     Range: npt=120-
 */
export const MANSRTSP_TYPE = 'Application/MANSRTSP';

/** What may be asked of a recording that is being sent. */
export type PlaybackCommand =
  /** Goes on. `scale`: times normal speed, negative backwards. `positionS`: seconds from the start of what was asked for. */
  | { do: 'play'; scale?: number; positionS?: number }
  | { do: 'pause' }
  /** The device sends no more; BYE still has to follow. */
  | { do: 'teardown' };

export const SCALE_LIMITS = { slowest: 0.25, fastest: 4 } as const;

/** @throws BerthwatchError bad-input where a number is outside of what the standard allows */
export function buildMansrtsp(command: PlaybackCommand, cseq: number): Uint8Array {
  const lines = [`${METHODS[command.do]} RTSP/1.0`, `CSeq: ${cseq}`];
  if (command.do === 'pause') lines.push('PauseTime: now');
  if (command.do === 'play') {
    if (command.scale !== undefined) lines.push(`Scale: ${scaleText(command.scale)}`);
    lines.push(`Range: npt=${command.positionS === undefined ? 'now' : positionText(command.positionS)}-`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const METHODS = { play: 'PLAY', pause: 'PAUSE', teardown: 'TEARDOWN' } as const;

function scaleText(scale: number): string {
  const speed = Math.abs(scale);
  if (!(speed >= SCALE_LIMITS.slowest && speed <= SCALE_LIMITS.fastest)) {
    throw new BerthwatchError('bad-input', 'GB_SCALE', `a recording cannot be played at ${scale} times its speed: give ${SCALE_LIMITS.slowest} to ${SCALE_LIMITS.fastest}, negative for backwards`);
  }
  return Number.isInteger(scale) ? scale.toFixed(1) : String(Math.round(scale * 1000) / 1000);
}

function positionText(seconds: number): string {
  if (!(seconds >= 0 && seconds < 1e7)) throw new BerthwatchError('bad-input', 'GB_POSITION', `${seconds} is no position in a recording: give seconds from its start`);
  return String(Math.round(seconds * 1000) / 1000);
}

export interface MansrtspMessage {
  /** Of an answer; null in a request. */
  status: number | null;
  reason: string;
  /** Of a request, upper case; null in an answer. */
  method: string | null;
  cseq: number | null;
  /** As the device sets it; null where it does not say. */
  scale: number | null;
  /** Start of the `npt` range, seconds; null where it does not say or means "now". */
  positionS: number | null;
}

const MAX_BYTES = 16_384;
const MAX_LINES = 64;
const VERSION = '(?:MANS)?RTSP/\\d\\.\\d';
const RESPONSE = new RegExp(`^${VERSION}\\s+(\\d{3})(?:\\s+(.*))?$`, 'i');
const REQUEST = new RegExp(`^([A-Z_]{2,20})(?:\\s+\\S+)?\\s+${VERSION}$`, 'i');

/**
 * Reads an answer (or a request, which some devices send back in its place). Lines that make no sense are left out.
 * @throws BerthwatchError bad-input where it does not begin as MANSRTSP does
 */
export function parseMansrtsp(body: Uint8Array): MansrtspMessage {
  const lines = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, MAX_BYTES)).toString('latin1').trimStart().split(/\r\n|\n|\r/, MAX_LINES);
  const start = (lines.shift() ?? '').trim().slice(0, 256);
  const response = RESPONSE.exec(start);
  const request = response ? null : REQUEST.exec(start);
  if (!response && !request) throw new BerthwatchError('bad-input', 'GB_MANSRTSP', `"${excerpt(start)}" is no MANSRTSP`);
  const message: MansrtspMessage = {
    status: response ? Number(response[1]) : null,
    reason: (response?.[2] ?? '').trim(),
    method: request?.[1]?.toUpperCase() ?? null,
    cseq: null,
    scale: null,
    positionS: null,
  };
  for (const line of lines) {
    if (line.trim() === '') break;
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, colon).trim().toLowerCase()) {
      case 'cseq':
        if (/^\d{1,9}$/.test(value)) message.cseq ??= Number(value);
        break;
      case 'scale':
        if (/^-?\d{1,3}(?:\.\d{1,6})?$/.test(value)) message.scale ??= Number(value);
        break;
      case 'range': {
        const position = /^npt\s*=\s*(\d{1,9}(?:\.\d{1,6})?)\s*-/i.exec(value)?.[1];
        if (position !== undefined) message.positionS ??= Number(position);
        break;
      }
      default:
        break;
    }
  }
  return message;
}
