import { readFileSync } from 'node:fs';
import { rgbCoefficients, type Picture, type Planes444 } from '../decode/picture.js';

/** Plane, factor and bias of one colour: network value = byte × factor + bias. */
export interface ChannelScale {
  plane: number;
  factor: number;
  bias: number;
}

/** What rgb-kernel.wat exports. */
interface Kernel {
  memory: WebAssembly.Memory;
  convert(...planesCountAndFactors: number[]): void;
}

const PAGE = 65536;
/** The kernel takes four pixels at a time. */
const STEP = 4;

/**
 * Turns scaled planes into what a network wants of red, green and blue: the last step before every network, for each of the hundreds of
 * thousands of pixels of its input. In JavaScript it took a twentieth of a key frame with four vehicles; by SIMD in WebAssembly it takes a sixth of that.
 *
 * All planes lie in the kernel's own memory, which grows to the largest input (15 bytes a pixel) and is used anew by every call.
 */
export class RgbKernel {
  readonly #kernel: Kernel;

  constructor() {
    const module = new WebAssembly.Module(readFileSync(new URL('rgb-kernel.wasm', import.meta.url)));
    this.#kernel = new WebAssembly.Instance(module).exports as unknown as Kernel;
  }

  /** Room for the planes of `width` × `height` pixels, valid until the next call of `room`. */
  room(width: number, height: number): Planes444 {
    const size = roomOf(width * height);
    const { memory } = this.#kernel;
    // A byte of each of Y, U and V and four of each of red, green and blue.
    const missing = 15 * size - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    const plane = (index: number): Uint8Array => new Uint8Array(memory.buffer, index * size, width * height);
    return { width, height, y: plane(0), u: plane(1), v: plane(2) };
  }

  /**
   * Converts planes that lie in `room`.
   * @returns red, green and blue as the network wants them, valid until the next call of `room` or `convert`
   */
  convert({ width, height }: Planes444, coding: Pick<Picture, 'matrix' | 'fullRange'>, [red, green, blue]: readonly [ChannelScale, ChannelScale, ChannelScale]): [red: Float32Array, green: Float32Array, blue: Float32Array] {
    const size = roomOf(width * height);
    const c = rgbCoefficients(coding);
    const black = c.lumaOffset * c.luma;
    const at = (colour: number): number => (3 + 4 * colour) * size;
    const ends = ({ factor, bias }: ChannelScale): [low: number, top: number] => [bias, 255 * factor + bias];
    // Bytes are not rounded to in between: factors of the colour equations and of the network are one.
    this.#kernel.convert(
      0, size, 2 * size, at(0), at(1), at(2), width * height,
      red.factor * c.luma, red.factor * c.redV, red.bias - red.factor * (black + 128 * c.redV), ...ends(red),
      green.factor * c.luma, green.factor * c.greenU, green.factor * c.greenV, green.bias - green.factor * (black + 128 * (c.greenU + c.greenV)), ...ends(green),
      blue.factor * c.luma, blue.factor * c.blueU, blue.bias - blue.factor * (black + 128 * c.blueU), ...ends(blue),
    );
    const colour = (index: number): Float32Array => new Float32Array(this.#kernel.memory.buffer, at(index), width * height);
    return [colour(0), colour(1), colour(2)];
  }
}

const roomOf = (pixels: number): number => Math.ceil(pixels / STEP) * STEP;
