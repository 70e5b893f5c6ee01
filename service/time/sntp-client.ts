import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { readNtpReply, writeNtpRequest } from './ntp-packet.js';

export interface TimeSample {
  /** As configured. */
  server: string;
  /** What must be added to our clock to have the server's, ms. */
  offsetMs: number;
  /** Round trip without the server's own time, ms. */
  delayMs: number;
  stratum: number;
}

const NTP_PORT = 123;

/** "host", "host:port", "[v6]:port". */
export function parseTimeServer(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+))(?::(\d{1,5}))?$/.exec(text) ?? /^()([0-9a-fA-F:.]+)()$/.exec(text);
  const port = match?.[3] ? Number(match[3]) : NTP_PORT;
  const host = match?.[1] || match?.[2];
  if (!host || port < 1 || port > 65_535) throw new BerthwatchError('bad-input', 'NTP_SERVER', `"${text}" is not a time server; write it like "ntp.example.cn" or "192.0.2.1:123"`);
  return { host, port };
}

/**
 * Asks a time server once (RFC 5905, clause 14).
 *
 * @throws BerthwatchError unavailable (no such host, no answer, a server that does not know the time)
 */
export async function askTime(server: string, options: { clock: Clock; timeoutMs: number; signal?: AbortSignal }): Promise<TimeSample> {
  const { clock, timeoutMs, signal } = options;
  const { host, port } = parseTimeServer(server);
  const { address, family } = await lookup(host).catch((error: unknown) => {
    throw new BerthwatchError('unavailable', 'NTP_HOST', `${server}: ${messageOf(error)}`);
  });
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  const nonce = randomBytes(8);
  let cancel = (): void => undefined;
  let onAbort = (): void => undefined;
  try {
    return await new Promise<TimeSample>((resolve, reject) => {
      const fail = (why: string): void => reject(new BerthwatchError('unavailable', 'NTP_NO_ANSWER', `${server}: ${why}`));
      onAbort = () => fail('stopped');
      signal?.addEventListener('abort', onAbort, { once: true });
      cancel = clock.after(timeoutMs, () => fail(`no answer within ${timeoutMs / 1000} s`));
      let sentWall = 0;
      let sentAt = 0;
      socket.on('error', (error) => fail(error.message));
      socket.on('message', (packet) => {
        const elapsed = clock.monotonic() - sentAt;
        try {
          const reply = readNtpReply(packet, nonce);
          // Our own clock may be set while we wait: the second time is taken from the one that cannot be.
          const receivedWall = sentWall + elapsed;
          resolve({ server, offsetMs: (reply.receivedAt - sentWall + (reply.sentAt - receivedWall)) / 2, delayMs: Math.max(0, elapsed - (reply.sentAt - reply.receivedAt)), stratum: reply.stratum });
        } catch (error) {
          // Anybody can send us something; only what carries our nonce can be the server's refusal.
          if (error instanceof BerthwatchError && error.retryable) reject(new BerthwatchError('unavailable', error.code, `${server}: ${error.message}`));
        }
      });
      // A connected socket takes datagrams from this address alone.
      socket.connect(port, address, () => {
        sentWall = clock.now();
        sentAt = clock.monotonic();
        socket.send(writeNtpRequest(nonce));
      });
    });
  } finally {
    cancel();
    // The signal is the service's own: it sees a question every few minutes for months.
    signal?.removeEventListener('abort', onAbort);
    socket.close();
  }
}
