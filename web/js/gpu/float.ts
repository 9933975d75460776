// Arithmetic of f32 in the numeric contract's order, in JavaScript's doubles.

const wide = new Float64Array(1);
const words = new Uint32Array(wide.buffer);

/** `a * b + c` of f32, rounded once: the sum in f64 is rounded to odd first (see clip-kernels, fma.rs). */
export function fma(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const error = product - (sum - part) + (c - part);
  if (error === 0 || Number.isNaN(error)) return Math.fround(sum);
  wide[0] = sum;
  const [low, high] = words as unknown as [number, number];
  if ((low & 1) === 0) {
    if (error > 0 === sum > 0) words[0] = low + 1;
    else if (low > 0) words[0] = low - 1;
    else [words[0], words[1]] = [0xffffffff, high - 1];
  }
  return Math.fround(wide[0]!);
}

/** The vector divided by its length: 16 partial sums, then the tree 8, 4, 2, 1. */
export function normalized(values: Float32Array): Float32Array<ArrayBuffer> {
  const partial = new Float32Array(16);
  values.forEach((value, i) => (partial[i % 16] = fma(value, value, partial[i % 16]!)));
  for (let half = 8; half >= 1; half /= 2) {
    for (let i = 0; i < half; i++) partial[i]! += partial[i + half]!;
  }
  // A square root and a quotient of f32 may be rounded twice: nothing is lost.
  const norm = Math.fround(Math.sqrt(partial[0]!));
  return Float32Array.from(values, (value) => value / norm);
}
