// What `Clip` is told and what it gives.

import type { Configuration } from "../runtime/assets.js";
import type { ClipError } from "../runtime/errors.js";
import type { Precision, Provenance, Towers } from "./protocol.js";
import type { Progress } from "./weights.js";

/** Which model is loaded, and how. */
export interface LoadOptions extends Configuration {
  /** Address of a folder made by `scraper model pack`, relative to the page; in Node also a path. */
  model: string | URL;
  /** What will be embedded. Only that is downloaded. Default: `"both"`. */
  towers?: Towers;
  /**
   * Threads, where the page is cross-origin isolated (COOP and COEP headers); else one. Default: as
   * many as there are processors, at most 4; one for `towers: "text"`, which gains nothing. Never
   * changes a bit.
   */
  threads?: number;
  /**
   * The token embedding is a third of the text tower's bytes, and a query needs few of its rows.
   *
   * - `"fill"` (default): the first query fetches the blocks of 128 tokens that it needs; after it
   *   the rest follows in the background. The host can tell in which blocks the first queries lie.
   * - `"blocks"`: never more than queries need. The least bytes; the host can follow all queries.
   * - `"whole"`: everything before the first query. The host learns nothing about queries.
   */
  tokens?: "fill" | "blocks" | "whole";
  /** Preprocessing of images; must be the one of the vectors to compare with. Default: `"hf-endpoint"`. */
  profile?: string;
  /** Whether weights are kept on this device; in Node also the folder to keep them in. Default: true. */
  cache?: boolean | string;
  /**
   * For engines without a fused multiply-add (Safari to this day):
   *
   * - `"exact"` (default): it is emulated, with the bits of the native program.
   * - `"auto"`: computed without, several times as fast. Every result then says `exact: false`; its
   *   normalised vector is within 1e-5 of the exact one. In all other engines the same as `"exact"`.
   */
  precision?: Precision;
  /**
   * `"auto"`: images are computed on the visitor's GPU (WebGPU), where the browser has one that gives the
   * bits of the native program; under `precision: "auto"` also where its vectors are within 1e-5 of them,
   * and then say `exact: false`. Each load compares one image with wasm, which computes them elsewhere.
   * The weights of the vision tower are in the GPU's memory besides, as f32. Default: `"off"`.
   */
  gpu?: "off" | "auto";
  /** `"fallback"` avoids relaxed SIMD; for tests. */
  kernel?: "auto" | "fallback";
  onProgress?: (progress: Progress) => void;
  /** What went wrong without stopping the model, e.g. no storage to keep the weights in. */
  onWarning?: (warning: ClipError) => void;
  signal?: AbortSignal | undefined;
}

/** Of one call. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Hands an `ArrayBuffer` or `ImageBitmap` over instead of copying it; it cannot be used afterwards. */
  transfer?: boolean;
}

/** A vector of one input. */
export interface Embedding {
  /** As projected: HF's `get_text_features`, `get_image_features`. */
  values: Float32Array;
  /** Of unit length, for cosine similarity. */
  normalized: Float32Array;
  /**
   * Whether native code gives these bits for this input. False only for images whose pixels the
   * browser decoded (see [`ImageSource`]; and formats such as HEIC), and under `precision: "auto"` in
   * engines or on GPUs without a fused multiply-add.
   */
  exact: boolean;
  /** What made it; a catalogue refuses vectors of another. */
  provenance: Provenance;
}

/** Of a batch of images. */
export interface BatchOptions extends CallOptions {
  /** Whether an image that fails leaves the others alone; see `Promise.allSettled`. Default: false. */
  settled?: boolean;
}

/** Of a classification. */
export interface ClassifyOptions extends CallOptions {
  /** The text of a label, with `{}` in its place. Default: `"This is a photo of {}."` */
  template?: string;
}
