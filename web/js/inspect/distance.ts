// How far apart two vectors are.

import type { Run } from "./run.js";

/** How far apart two vectors are. */
export interface Distance {
  /** Values that are not the same bits, of how many. */
  differing: number;
  dim: number;
  /** Largest difference, and where. */
  maxDelta: number;
  at: number;
  /** Representable f32 between the two values furthest apart in that sense. */
  maxUlps: number;
  cosine: number;
}

const words = new DataView(new ArrayBuffer(4));

/** Position of an f32 among all of them, so that neighbours are one apart; -0 and 0 are the same. */
function ordinal(value: number): number {
  words.setFloat32(0, value);
  const bits = words.getInt32(0);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}

/** Units in the last place between two f32. */
export function ulps(a: number, b: number): number {
  return Math.abs(ordinal(a) - ordinal(b));
}

/** Between the vectors of two runs, of the same length. */
export function distanceOf(a: Run, b: Run): Distance {
  // A raw vector beside one of unit length: compare directions.
  const [x, y] = a.normalized === b.normalized ? [a.embedding, b.embedding] : [unit(a), unit(b)];
  let [differing, maxDelta, at, maxUlps, dot, xx, yy] = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i += 1) {
    const [p, q] = [x[i] ?? 0, y[i] ?? 0];
    dot += p * q;
    xx += p * p;
    yy += q * q;
    if (Object.is(p, q)) continue;
    differing += 1;
    maxUlps = Math.max(maxUlps, ulps(p, q));
    if (Math.abs(p - q) > maxDelta) [maxDelta, at] = [Math.abs(p - q), i];
  }
  // Sums of equal vectors would give 0.9999999999999998 as often as 1.
  const cosine = differing === 0 ? 1 : Math.min(1, dot / Math.sqrt(xx * yy));
  return { differing, dim: x.length, maxDelta, at, maxUlps, cosine };
}

/** The vector brought to unit length. */
function unit(run: Run): Float32Array {
  if (run.normalized) return run.embedding;
  const norm = Math.hypot(...run.embedding);
  return run.embedding.map((x) => x / norm);
}
