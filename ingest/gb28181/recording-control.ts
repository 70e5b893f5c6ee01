import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { SipEndpoint } from '../sip/endpoint.js';
import type { SipResponse } from '../sip/message.js';
import { excerpt } from '../sip/scanner.js';
import { buildMansrtsp, MANSRTSP_TYPE, parseMansrtsp, type PlaybackCommand } from './mansrtsp.js';
import type { InviteSession } from './session.js';

const NAMES = { play: 'PLAY', pause: 'PAUSE', teardown: 'TEARDOWN' } as const;
/** What devices answer that have never heard of INFO, or not of this body. */
const UNSUPPORTED = new Set([405, 415, 420, 488, 489, 501]);

/**
 * One steering command for a recording under way: INFO in its dialog (GB/T 28181-2016 9.8.3). The SIP answer says whether the device
 * takes INFO at all, the MANSRTSP in it, where there is one, whether it did what was asked.
 * @returns false where the device knows nothing of the call
 * @throws BerthwatchError see `GbSession.control`
 */
export async function steer(session: InviteSession, command: PlaybackCommand, endpoint: SipEndpoint, timeoutMs: number): Promise<boolean> {
  const who = `device ${session.deviceId}`;
  const fail = (kind: 'conflict' | 'unavailable', code: string, message: string, detail: Record<string, unknown> = {}): BerthwatchError =>
    new BerthwatchError(kind, code, message, { detail: { deviceId: session.deviceId, channelId: session.channelId, command: command.do, ...detail } });
  if (!session.request.recording) throw fail('conflict', 'GB_LIVE', `the stream of ${who} is live: only a recording can be paused, sped up or wound`);
  if (session.ended) throw fail('unavailable', 'GB_SESSION_OVER', `the recording of ${who} is over`);
  const version = Number(session.device.gbVersion ?? NaN);
  if (command.do === 'play' && (command.scale ?? 1) < 0 && version < 3) {
    throw fail('conflict', 'GB_REVERSE', `${who} speaks the ${version >= 2 ? '2016' : '2011'} edition of GB/T 28181, which cannot play backwards`);
  }
  const request = session.dialog.request('INFO');
  request.headers.add('Content-Type', MANSRTSP_TYPE);
  request.body = buildMansrtsp(command, session.nextRtspCSeq());
  let response: SipResponse;
  try {
    response = await endpoint.request(session.device.flow, request, timeoutMs);
  } catch (error) {
    throw fail('unavailable', 'GB_INFO_TIMEOUT', `${who} did not answer ${NAMES[command.do]}: ${messageOf(error)}`);
  }
  const { status, reason } = response;
  if (status === 481 || status === 408) return false;
  if (UNSUPPORTED.has(status)) throw fail('conflict', 'GB_INFO_UNSUPPORTED', `${who} does not take ${NAMES[command.do]} by INFO (it answered ${status} ${excerpt(reason)}): its recordings can be played and ended, but not steered`, { status });
  if (status >= 300) throw fail('conflict', 'GB_INFO_REFUSED', `${who} refused ${NAMES[command.do]} with ${status} ${excerpt(reason)}`.trimEnd(), { status });
  const said = readBody(response.body);
  if (said !== null && said.status >= 300) throw fail('conflict', 'GB_PLAYBACK_REFUSED', `${who} took ${NAMES[command.do]} but refuses it: ${said.status} ${excerpt(said.reason)}`.trimEnd(), { status: said.status });
  return true;
}

/** Null where there is nothing to be read; some devices put their own XML there. */
function readBody(body: Uint8Array): { status: number; reason: string } | null {
  if (body.length === 0) return null;
  try {
    const { status, reason } = parseMansrtsp(body);
    return status === null ? null : { status, reason };
  } catch {
    return null;
  }
}
