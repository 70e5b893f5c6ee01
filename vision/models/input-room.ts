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
/** The kernel takes four pixels at a time, and writes four. */
export const PIXELS_AT_ONCE = 4;

let module: WebAssembly.Module | null = null;

/**
 * Where a network's input is made: the tensor, and behind it room for the scaled planes of one picture, in the memory of a WebAssembly module
 * that turns those into what the network wants of red, green and blue by SIMD. That is the last step before every network, for each of the
 * hundreds of thousands of pixels of its input; in JavaScript it took a twentieth of a key frame with four vehicles.
 *
 * The memory grows to what the largest run takes (12 bytes a pixel for each picture, 15 more for one) and is used anew by every run.
 */
export class InputRoom {
  readonly #kernel: Kernel;
  #tensor = new Float32Array(0);

  constructor() {
    module ??= new WebAssembly.Module(readFileSync(new URL('rgb-kernel.wasm', import.meta.url)));
    this.#kernel = new WebAssembly.Instance(module).exports as unknown as Kernel;
  }

  /**
   * Makes room for `count` pictures of `width` × `height` pixels, float32 NCHW with three planes each. What stands there is another run's.
   * @returns the tensor, valid until the next call
   */
  open(count: number, { width, height }: { width: number; height: number }): Float32Array {
    const length = count * 3 * width * height;
    const missing = 4 * length + 15 * roomOf(width * height) - this.#kernel.memory.buffer.byteLength;
    if (missing > 0) this.#kernel.memory.grow(Math.ceil(missing / PAGE));
    this.#tensor = new Float32Array(this.#kernel.memory.buffer, 0, length);
    return this.#tensor;
  }

  /** What the last `open` made. */
  get tensor(): Float32Array {
    return this.#tensor;
  }

  /** Room for the planes of a part of a picture, of as many pixels as the pictures have at most. */
  planes(width: number, height: number): Planes444 {
    const size = roomOf(width * height);
    const plane = (index: number): Uint8Array => new Uint8Array(this.#kernel.memory.buffer, this.#tensor.byteLength + index * size, width * height);
    return { width, height, y: plane(0), u: plane(1), v: plane(2) };
  }

  /** Turns planes that lie in `planes` into red, green and blue and writes them from the given places of the tensor on; their number must divide by PIXELS_AT_ONCE. */
  writeColours({ width, height }: Planes444, coding: Pick<Picture, 'matrix' | 'fullRange'>, scales: Scales, places: readonly [red: number, green: number, blue: number]): void {
    this.#convert(width * height, coding, scales, places.map((place) => 4 * place));
  }

  /** The same to read: red, green and blue beside the tensor, valid until the next call of any method. */
  colours({ width, height }: Planes444, coding: Pick<Picture, 'matrix' | 'fullRange'>, scales: Scales): [red: Float32Array, green: Float32Array, blue: Float32Array] {
    const count = width * height;
    const behind = [0, 1, 2].map((colour) => this.#tensor.byteLength + (3 + 4 * colour) * roomOf(count));
    this.#convert(count, coding, scales, behind);
    const plane = (colour: number): Float32Array => new Float32Array(this.#kernel.memory.buffer, behind[colour], count);
    return [plane(0), plane(1), plane(2)];
  }

  #convert(count: number, coding: Pick<Picture, 'matrix' | 'fullRange'>, [red, green, blue]: Scales, to: readonly number[]): void {
    const from = this.#tensor.byteLength;
    const size = roomOf(count);
    const c = rgbCoefficients(coding);
    const black = c.lumaOffset * c.luma;
    const ends = ({ factor, bias }: ChannelScale): [low: number, top: number] => [bias, 255 * factor + bias];
    // Bytes are not rounded to in between: factors of the colour equations and of the network are one.
    this.#kernel.convert(
      from, from + size, from + 2 * size, ...to, count,
      red.factor * c.luma, red.factor * c.redV, red.bias - red.factor * (black + 128 * c.redV), ...ends(red),
      green.factor * c.luma, green.factor * c.greenU, green.factor * c.greenV, green.bias - green.factor * (black + 128 * (c.greenU + c.greenV)), ...ends(green),
      blue.factor * c.luma, blue.factor * c.blueU, blue.bias - blue.factor * (black + 128 * c.blueU), ...ends(blue),
    );
  }
}

type Scales = readonly [red: ChannelScale, green: ChannelScale, blue: ChannelScale];

const roomOf = (pixels: number): number => Math.ceil(pixels / PIXELS_AT_ONCE) * PIXELS_AT_ONCE;
