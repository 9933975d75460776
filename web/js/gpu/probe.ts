// Whether the device's fused multiply-add rounds once.

import { fma } from "./float.js";
import type { Gpu } from "./kernels.js";

/** Triples that are tried. */
const COUNT = 4096;

export async function fuses(gpu: Gpu): Promise<boolean> {
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
  // Any mantissa and sign, exponents from 2^-20 to 2^20.
  const value = () => (random() & 0x807fffff) | ((107 + ((random() >>> 8) % 41)) << 23);
  const floats = () => new Float32Array(Uint32Array.from({ length: COUNT }, value).buffer);
  const [a, b, c] = [floats(), floats(), floats()];
  // Addends that nearly cancel the product, where rounding twice shows.
  for (let i = 0; i < COUNT; i += 2) c[i] = -(a[i]! * b[i]!);
  const out = gpu.storage(COUNT);
  const buffers = [...[a, b, c].map((values) => gpu.filled(values)), out];
  const steps = gpu.prepare([{ kernel: "probe", params: [COUNT, 0], buffers, groups: [COUNT / 64, 1, 1] }]);
  const got = await gpu.run(steps, out, COUNT);
  return got.every((value, i) => Object.is(value, fma(a[i]!, b[i]!, c[i]!)));
}
