/** IP address (IPv4-mapped IPv6 written as IPv4) and port. */
export interface SocketAddress {
  host: string;
  port: number;
}

export type SipTransportName = 'UDP' | 'TCP';

/**
 * One way to a peer and back: a UDP source address, or an accepted TCP connection (RFC 5626 calls it a flow). Everything
 * for a device goes on the flow from which it last proved who it is; nobody ever dials a Contact.
 */
export interface Flow {
  readonly transport: SipTransportName;
  readonly remote: SocketAddress;
  /** Equal for packets of the same source address, or of the same connection. */
  readonly key: string;
  /** False once a connection has closed. */
  readonly alive: boolean;
  /** Never throws and never waits: a peer that does not read loses its connection. */
  send(bytes: Uint8Array): void;
  /** Called when the peer on this flow has proved who it is: a connection may then send larger messages and stay idle. */
  trust(): void;
}

/** Strips the `::ffff:` of IPv4 addresses that arrive on a dual-stack socket. */
export function plainAddress(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
}
