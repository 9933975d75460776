// The GPU as a helper of the wasm module: used where it passes, given up without harm where not.

import type { Accelerator, Config, StageValues } from "../gpu/index.js";
import { ClipError, reason } from "../runtime/errors.js";
import type { Manifest } from "./manifest.js";
import type { Precision } from "./protocol.js";

export class Gpu {
  private accelerator: Accelerator | undefined;
  private failed = false;

  private constructor(private readonly warn: (warning: ClipError) => void) {}

  /** `script` is that of `../gpu`; it and its shaders are loaded by those alone who ask for a GPU. */
  static async start(
    script: string, manifest: Manifest, precision: Precision, warn: (warning: ClipError) => void,
  ): Promise<Gpu> {
    const gpu = new Gpu(warn);
    await gpu.attempt(async () => {
      const { Accelerator } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ script)) as typeof import("../gpu/index.js");
      gpu.accelerator = await Accelerator.open(manifest.config as unknown as Config, precision === "exact");
    });
    return gpu;
  }

  /** The device that computes images, if one does. */
  get name(): string | null {
    return this.accelerator?.name ?? null;
  }

  get exact(): boolean {
    return this.accelerator?.exact ?? false;
  }

  push(bytes: Uint8Array): Promise<void> {
    return this.attempt(async (accelerator) => accelerator.push(bytes));
  }

  /** Compares one image with `wasm`, which is exact if `known`. */
  check(size: number, precision: Precision, known: boolean, wasm: (pixels: Float32Array) => Float32Array): Promise<void> {
    return this.attempt(async (accelerator) => {
      const pixels = Float32Array.from({ length: 3 * size * size }, (_, i) => ((i * 7919) % 4001) / 1000 - 2);
      await accelerator.check(pixels, wasm(pixels), { exact: precision === "exact", known });
    });
  }

  /** Raw vector and the one of unit length of pixel values; `undefined` once the device has been given up. */
  embed(pixels: Float32Array): Promise<Float32Array<ArrayBuffer> | undefined> {
    return this.attempt((accelerator) => accelerator.embed(pixels));
  }

  /** What each stage of the tower gives of pixel values; `undefined` once the device has been given up. */
  trace(pixels: Float32Array): Promise<StageValues[] | undefined> {
    return this.attempt((accelerator) => accelerator.trace(pixels));
  }

  /** A device that fails is not asked again: the module computes in its place. */
  private async attempt<T>(work: (accelerator: Accelerator) => Promise<T>): Promise<T | undefined> {
    if (this.failed) return undefined;
    try {
      // Opening it needs none.
      return await work(this.accelerator!);
    } catch (error) {
      this.failed = true;
      this.accelerator?.close();
      this.accelerator = undefined;
      this.warn(new ClipError("engine", `images are computed without the GPU: ${reason(error)}`, { cause: error }));
      return undefined;
    }
  }
}
