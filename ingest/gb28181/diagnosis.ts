import type { Device } from './device.js';
import type { MediaTransportKind } from '../media/media-transport.js';
import { excerpt } from '../sip/scanner.js';
import { uriHost } from '../sip/header-values.js';

/** Sentences for people: what happened with a request to a camera, and what to look at. */

export interface InviteFacts {
  deviceId: string;
  channelId: string;
  transport: MediaTransportKind;
  mediaHost: string;
  mediaPort: number;
}

export function where(device: Device): string {
  return `${device.flow.transport} ${uriHost(device.flow.remote.host)}:${device.flow.remote.port}`;
}

function name(facts: InviteFacts): string {
  return facts.channelId === facts.deviceId ? `camera ${facts.deviceId}` : `channel ${facts.channelId} of device ${facts.deviceId}`;
}

export function neverRegistered(deviceId: string): string {
  return `device ${deviceId} has never registered here: check the SIP server address, port, server id and domain in its GB/T 28181 settings, and that its id is written the same on both sides`;
}

export function isOffline(device: Device): string {
  return `device ${device.id} is offline (${device.offlineReason ?? 'not registered'}); its last address was ${where(device)}: check its power and network`;
}

export function noAnswer(device: Device, facts: InviteFacts, waitedMs: number, ringing: boolean): string {
  const seconds = Math.round(waitedMs / 100) / 10;
  return ringing
    ? `${name(facts)} took the INVITE (100 Trying) but did not decide within ${seconds} s: it may be overloaded, or waiting for a channel behind it; restart it if this stays`
    : `${name(facts)} did not answer INVITE at ${where(device)} within ${seconds} s: it may have lost power or network, or a router between forgot its address (ask the camera for shorter keepalives)`;
}

export function connectionLost(device: Device, facts: InviteFacts): string {
  return `the SIP connection of ${name(facts)} (${where(device)}) closed before INVITE was answered: the device reconnects by itself when it is reachable`;
}

const STATUS_HINTS: Readonly<Record<number, string>> = {
  400: 'it finds the request faulty: often the channel id is not one of its own (compare with its catalogue), or it does not know the chosen stream dialect',
  401: 'it wants a password for INVITE: switch authentication of the platform off in its GB/T 28181 settings',
  403: 'it forbids the request: check that this server id is the platform it is configured for',
  404: 'it does not know the channel: compare the channel id with its catalogue',
  405: 'it does not take INVITE: the id is probably not a video channel',
  406: 'it cannot do what was offered: try the other media transport',
  408: 'it timed out itself: the camera behind this recorder may be offline',
  415: 'it does not understand the offer: try another stream dialect',
  480: 'the channel is temporarily not available: the camera behind this recorder may be offline',
  481: 'it believes the call is one that has ended: try again',
  486: 'it is busy: it has reached its limit of streams, or still sends to an earlier session; that one ends when it gets BYE, or by a restart of the camera',
  487: 'the request was cancelled',
  488: 'it cannot do what was offered: try the other media transport, or the other stream (main or sub)',
  500: 'an error inside the camera: restart it if this stays',
  503: 'it is overloaded or starting up: try again later',
  603: 'it declines: the stream may be switched off in its settings',
};

export function refusedByDevice(facts: InviteFacts, status: number, reason: string): string {
  const hint = STATUS_HINTS[status] ?? 'see its own log';
  return `${name(facts)} refused INVITE with ${status} ${excerpt(reason)}`.trimEnd() + `: ${hint}`;
}

export function badAnswer(facts: InviteFacts, problem: string): string {
  return `${name(facts)} accepted INVITE, but ${problem}`;
}

/** What is known of a call whose media never came. */
export interface MediaSigns {
  /** Oddities of the answer (`MediaAnswer.notes`), and of what came to the port (`MediaReceiver.hints`). */
  notes?: readonly string[];
  /** Where the device's signalling comes from. */
  peerHost?: string | null;
  /** TCP active: what was dialled, and why that failed. */
  dial?: { host: string; port: number; failure: string | null } | null;
}

/** For the code that owns the media port: signalling went well and then nothing came. */
export function noMedia(facts: InviteFacts, waitedMs: number, { notes = [], peerHost = null, dial = null }: MediaSigns): string {
  const seconds = Math.round(waitedMs / 100) / 10;
  const unreachable = peerHost === null || facts.transport === 'tcp-active' ? null : advertisedInVain(facts.mediaHost, peerHost);
  const also = [...(unreachable ? [unreachable] : []), ...notes];
  const tail = also.length > 0 ? ` (also: ${also.join('; ')})` : '';
  if (facts.transport === 'tcp-active') {
    const told = dial ? `${uriHost(dial.host)}:${dial.port}` : 'an address that it did not name';
    return `${name(facts)} answered INVITE and listens at TCP ${told}, but no packet came from there in ${seconds} s${dial?.failure ? ` (${dial.failure})` : ''}: check that this address can be reached from here (firewall, NAT, the camera's own idea of its address), or use tcp-passive${tail}`;
  }
  const target = `${uriHost(facts.mediaHost)}:${facts.mediaPort}`;
  const check =
    facts.transport === 'udp'
      ? `check that UDP ${target} can be reached from the camera (firewall, NAT, the advertised media address), or try TCP`
      : `check that TCP ${target} can be reached from the camera (firewall, NAT, the advertised media address), or try UDP`;
  return `${name(facts)} answered INVITE but no packet came to ${target} in ${seconds} s: ${check}${tail}`;
}

/** A stream was there and is not any more. */
export function mediaStopped(facts: InviteFacts, silentMs: number): string {
  return `${name(facts)} stopped sending ${Math.round(silentMs / 1000)} s ago without a word: its network may be down, or it restarted; it is asked again`;
}

const LOOPBACK = /^(?:127\.|::1$|localhost$)/;
const PRIVATE = /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|f[cd][0-9a-f]{2}:|fe80:)/i;

/** Why the address that the camera was told cannot be reached from where it is; null where it may be. */
function advertisedInVain(mediaHost: string, peerHost: string): string | null {
  if (LOOPBACK.test(mediaHost)) return LOOPBACK.test(peerHost) ? null : `the media address ${mediaHost} means the camera itself when it reads it: set gb28181.advertisedHost to this server's address`;
  if (PRIVATE.test(mediaHost) && !PRIVATE.test(peerHost) && !LOOPBACK.test(peerHost)) {
    return `the media address ${mediaHost} is private, while the camera comes from ${peerHost} outside: set gb28181.advertisedHost to the address that it can reach`;
  }
  return null;
}
