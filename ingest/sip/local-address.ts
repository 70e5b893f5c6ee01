import { BlockList, isIP } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '';
}

/**
 * The address of this machine that a peer can most likely reach, for a socket that is bound to all of them: the one in the
 * peer's own subnet, else the first that is not loopback, else loopback. A machine behind NAT has to be told its outer one.
 */
export function localAddressFor(peer: string, interfaces: Interfaces = networkInterfaces()): string {
  const family = isIP(peer) === 6 ? 'IPv6' : 'IPv4';
  const loopback = family === 'IPv6' ? '::1' : '127.0.0.1';
  const candidates = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter((info) => info.family === family && !info.address.startsWith('fe80:'));
  const near = candidates.find((info) => info.cidr !== null && inSubnet(peer, info.cidr, family));
  return (near ?? candidates.find((info) => !info.internal))?.address ?? loopback;
}

function inSubnet(peer: string, cidr: string, family: 'IPv4' | 'IPv6'): boolean {
  const [network, prefix] = cidr.split('/') as [string, string];
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family === 'IPv6' ? 'ipv6' : 'ipv4');
  return list.check(peer, family === 'IPv6' ? 'ipv6' : 'ipv4');
}
