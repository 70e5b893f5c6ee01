/**
 * How a stream's packets come: `udp`; `tcp-passive`: the platform listens and the device dials; `tcp-active`: the device listens
 * and the platform dials (GB/T 28181-2016 annex D; RFC 4571, RFC 4145). Active and passive are the platform's role.
 */
export const MEDIA_TRANSPORTS = ['udp', 'tcp-passive', 'tcp-active'] as const;
export type MediaTransportKind = (typeof MEDIA_TRANSPORTS)[number];

/** A port for each stream, or one for all of them, told apart by SSRC. TCP active needs no port either way. */
export const MEDIA_MODES = ['port-per-stream', 'shared'] as const;
export type MediaMode = (typeof MEDIA_MODES)[number];

/** The sockets of one stream. Inert until `open`; `close` resolves when the ports are free again. */
export interface MediaTransport {
  /**
   * Binds `port` (0: one of the system's choice) and returns the bound one.
   * @throws the socket's error, `EADDRINUSE` where the port (or for UDP its RTCP neighbour) is taken
   */
  open(host: string, port: number): Promise<number>;
  close(): Promise<void>;
  /** Once a second, with the monotonic time: deadlines of connections, RTCP reports. */
  tick(nowMs: number): void;
  /** The device's address has become known or changed. */
  peerChanged(): void;
  /** TCP: bytes waiting for the rest of their frame. */
  readonly buffered?: number;
  /** What may explain that no packet of the stream came, for people; null where there is nothing to say. */
  readonly hint?: string | null;
}

/** "::ffff:10.0.0.5" is 10.0.0.5: addresses are compared with what signalling saw. */
export function plainHost(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
}
