// Image queries on the visitor's GPU, loaded by the worker where it is asked for.

import { normalized } from "./float.js";
import { Gpu } from "./kernels.js";
import { fuses } from "./probe.js";
import { type Config, type StageValues, Tower } from "./tower.js";

export type { Config, StageValues };

/** Largest difference of a component of a normalised vector that `precision: "auto"` lets pass. */
const CLOSE = 1e-5;

/** A GPU on which a vision tower is being, or has been, put together. */
export class Accelerator {
  /** Whether its vectors have the bits of the native program; known after [`Accelerator.check`]. */
  exact = false;

  private constructor(
    /** The device's name. */
    readonly name: string,
    private readonly gpu: Gpu,
    private readonly tower: Tower,
  ) {}

  /** Opens the device. @throws Error that says why it is not used */
  static async open(config: Config, exact: boolean): Promise<Accelerator> {
    const refused = Tower.refuses(config);
    if (refused) throw new Error(refused);
    const gpu = await Gpu.open();
    if (!gpu) throw new Error("the browser offers no GPU");
    try {
      if (exact && !(await fuses(gpu))) throw new Error(`${gpu.name} rounds a fused multiply-add twice: its bits are others`);
      return new Accelerator(gpu.name, gpu, new Tower(gpu, config));
    } catch (error) {
      gpu.close();
      throw error;
    }
  }

  /** The next bytes of the model's vision part. */
  push(bytes: Uint8Array): void {
    this.tower.push(bytes);
  }

  /**
   * Compares with `reference`, which the module computes from the same pixels: raw vector, then the one of unit
   * length, in the contract's bits if `known`. @throws Error that says why the device is not used
   */
  async check(
    pixels: Float32Array,
    reference: Float32Array,
    { exact, known }: { exact: boolean; known: boolean },
  ): Promise<void> {
    this.tower.finish();
    const got = await this.embed(pixels);
    this.exact = known && got.every((value, i) => Object.is(value, reference[i]));
    if (this.exact) return;
    if (exact) throw new Error(`${this.name} has other bits than the CPU`);
    const unit = got.length / 2;
    const far = got.some((value, i) => i >= unit && !(Math.abs(value - reference[i]!) <= CLOSE));
    if (far) throw new Error(`${this.name} is further than ${CLOSE} from the CPU`);
  }

  /** Pixel values f32 `[3, size, size]` to the raw vector, then the one of unit length. */
  async embed(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const raw = await this.tower.embed(pixels);
    const both = new Float32Array(2 * raw.length);
    both.set(raw);
    both.set(normalized(raw), raw.length);
    return both;
  }

  /** What each stage of the tower gives of pixel values. */
  async trace(pixels: Float32Array): Promise<StageValues[]> {
    const { stages, vector } = await this.tower.trace(pixels);
    const shape = [vector.length];
    return [
      ...stages,
      { name: "embedding", shape, values: vector },
      { name: "normalized", shape, values: normalized(vector) },
    ];
  }

  close(): void {
    this.gpu.close();
  }
}
