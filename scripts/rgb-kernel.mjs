// Assembles vision/models/rgb-kernel.wat; the result is committed, so that only who changes the .wat needs this. A test compares the two.
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const folder = new URL('../vision/models/', import.meta.url);
const { parseWat } = await wabt();
const module = parseWat('rgb-kernel.wat', readFileSync(new URL('rgb-kernel.wat', folder), 'utf8'), { simd: true });
module.validate();
const { buffer } = module.toBinary({});
writeFileSync(new URL('rgb-kernel.wasm', folder), buffer);
console.log(`vision/models/rgb-kernel.wasm: ${buffer.length} bytes`);
