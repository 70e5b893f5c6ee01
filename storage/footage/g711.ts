/** ITU-T G.711: eight bits a sample, as 16-bit linear. */
export type G711Law = 'g711a' | 'g711u';

/** Table 1: A-law, even bits inverted on the line; 13 bits of value, here times 8. */
function alaw(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const within = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? within : (within + 0x100) << (segment - 1);
  return (bits & 0x80) !== 0 ? magnitude : -magnitude;
}

/** Table 2: µ-law, all bits inverted; 14 bits of value, here times 4. */
function ulaw(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return (bits & 0x80) !== 0 ? -magnitude : magnitude;
}

const TABLES: Record<G711Law, Int16Array> = {
  g711a: Int16Array.from({ length: 256 }, (_, code) => alaw(code)),
  g711u: Int16Array.from({ length: 256 }, (_, code) => ulaw(code)),
};

/** The code of silence. */
export const G711_SILENCE: Record<G711Law, number> = { g711a: 0xd5, g711u: 0xff };

export function decodeG711(law: G711Law, codes: Uint8Array): Int16Array {
  const table = TABLES[law];
  const samples = new Int16Array(codes.length);
  for (let i = 0; i < codes.length; i++) samples[i] = table[codes[i] as number] as number;
  return samples;
}
