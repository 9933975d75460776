// What the inspector and its worker say to each other.

import type { Facts, Stage, Tokens } from "../bindings/inspect.js";

export type { Facts, Stage, Tokens };

/** What the worker has made of an image. */
export interface Prepared {
  /** Unknown for pixels of another decoder. */
  facts: Facts | undefined;
  /** `decoded`, `resized`, `cropped`, `pixel_values`. */
  stages: Stage[];
  /** The first three as bitmaps, large ones at a smaller size. */
  images: ImageBitmap[];
  ms: { decode: number; prepare: number };
}

/** A question to the worker. */
export type InspectRequest = { id: number } & (
  | { op: "start"; wasm: string; preprocessor: string | undefined; imageSize: number; profile: string }
  | { op: "bytes"; bytes: ArrayBuffer }
  | { op: "pixels"; data: Uint8ClampedArray; width: number; height: number }
  | { op: "tokens"; text: string; max: number }
);
