/** Writes datagrams as a capture file (classic pcap, raw IPv4) for a foreign dissector to look at. */
export interface Datagram {
  /** Unix ms. */
  at: number;
  fromPort: number;
  toPort: number;
  bytes: Buffer;
}

const LINKTYPE_RAW = 101;

export function pcap(datagrams: readonly Datagram[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(LINKTYPE_RAW, 20);
  const parts = [head];
  for (const { at, fromPort, toPort, bytes } of datagrams) {
    const packet = Buffer.alloc(28 + bytes.length);
    packet[0] = 0x45;
    packet.writeUInt16BE(packet.length, 2);
    packet[8] = 64;
    packet[9] = 17;
    packet.set([127, 0, 0, 1, 127, 0, 0, 1], 12);
    packet.writeUInt16BE(checksum(packet.subarray(0, 20)), 10);
    packet.writeUInt16BE(fromPort, 20);
    packet.writeUInt16BE(toPort, 22);
    // A UDP checksum of 0 means: none.
    packet.writeUInt16BE(8 + bytes.length, 24);
    packet.set(bytes, 28);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(at / 1000), 0);
    record.writeUInt32LE((at % 1000) * 1000, 4);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    parts.push(record, packet);
  }
  return Buffer.concat(parts);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
