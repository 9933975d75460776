// Queries embedded by a server, until the model is on the device: the protocol of Hugging Face's
// Inference Endpoints. Words are sent as `{"inputs": "…"}`, a photo as its bytes; the answer is the
// vector, or a list with it.

import type { Embedding } from "../clip/index.js";

/** Milliseconds that an answer may take: the words' results are there meanwhile. */
const PATIENCE = 8000;
/** Milliseconds without questions after a failure. */
const REST = 30_000;

/** A server that embeds. */
export class Endpoint {
  private tired = -Infinity;

  constructor(private readonly address: string) {}

  /**
   * The embedding of words or a photo, said to be of `provenance`, which its vectors are compared with;
   * undefined where the server fails, which then is left alone for a while. Aborts are thrown.
   */
  async embed(
    input: string | Blob,
    provenance: Embedding["provenance"],
    dimensions: number,
    signal: AbortSignal,
  ): Promise<Embedding | undefined> {
    if (performance.now() - this.tired < REST) return undefined;
    const controller = new AbortController();
    const abort = () => controller.abort();
    signal.addEventListener("abort", abort);
    const timer = setTimeout(abort, PATIENCE);
    try {
      const response = await fetch(new URL(this.address, document.baseURI), {
        method: "POST", credentials: "omit", signal: controller.signal,
        headers: { "Content-Type": typeof input === "string" ? "application/json" : input.type, Accept: "application/json" },
        body: typeof input === "string" ? JSON.stringify({ inputs: input }) : input,
      });
      const values = response.ok ? vectorOf(await response.json(), dimensions) : undefined;
      if (values) return { values, normalized: unit(values), exact: false, provenance };
    } catch {
      // The model on the device does without it.
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
    signal.throwIfAborted();
    this.tired = performance.now();
    return undefined;
  }
}

/** The vector of an answer: `[…]` or `[[…]]`; undefined for anything else. */
export function vectorOf(json: unknown, dimensions: number): Float32Array | undefined {
  const list: unknown = Array.isArray(json) && json.length === 1 ? json[0] : json;
  const sound = Array.isArray(list) && list.length === dimensions && list.every((x) => Number.isFinite(x));
  if (!sound) return undefined;
  const values = Float32Array.from(list as number[]);
  return values.some((x) => x !== 0) ? values : undefined;
}

/** Of length 1. What is so already keeps its bits: those that the device computes. */
export function unit(values: Float32Array): Float32Array {
  const norm = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  return Math.abs(norm - 1) < 1e-5 ? values : values.map((x) => x / norm);
}
