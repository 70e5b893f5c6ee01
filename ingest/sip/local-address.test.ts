import type { NetworkInterfaceInfo } from 'node:os';
import { expect, it } from 'vitest';
import { localAddressFor } from './local-address.js';

const v4 = (address: string, prefix: number, internal = false): NetworkInterfaceInfo => ({ address, cidr: `${address}/${prefix}`, family: 'IPv4', internal, mac: '', netmask: '' });
const v6 = (address: string, prefix: number, internal = false): NetworkInterfaceInfo => ({ address, cidr: `${address}/${prefix}`, family: 'IPv6', internal, mac: '', netmask: '', scopeid: 0 });
const machine = { lo: [v4('127.0.0.1', 8, true), v6('::1', 128, true)], eth0: [v4('203.0.113.5', 24), v6('fe80::1', 64)], eth1: [v4('10.1.2.3', 16), v6('2001:db8::3', 64)] };

it.each([
  ['127.0.0.1', '127.0.0.1'],
  ['10.1.99.7', '10.1.2.3'],
  ['203.0.113.77', '203.0.113.5'],
  ['198.51.100.1', '203.0.113.5'],
  ['::1', '::1'],
  ['2001:db8::99', '2001:db8::3'],
])('a camera at %s is told %s', (peer, told) => expect(localAddressFor(peer, machine)).toBe(told));

it('without any network there is loopback', () => {
  expect(localAddressFor('10.0.0.1', {})).toBe('127.0.0.1');
  expect(localAddressFor('2001:db8::1', { eth0: [v6('fe80::1', 64)] })).toBe('::1');
});
