// What the inspector and its worker say to each other.

import type { Stage } from "./protocol.js";

/** What an image file says about itself; as in `scraper inspect --format json`. */
export interface Facts {
  bytes: number;
  sha256: string;
  format: string;
  /** Size in the file, before it is turned upright. */
  width: number;
  height: number;
  /** Pillow's name of the mode in which the file opens: `RGB`, `P`, `CMYK` … */
  mode: string;
  alpha: boolean;
  /** Where known; the first one counts. */
  frames: number | null;
  /** EXIF orientation, 1 (upright) to 8. */
  orientation: number;
}

/** Token ids and what each stands for (`</w>` ends a word). */
export interface Tokens {
  ids: number[];
  pieces: string[];
}

export interface Prepared {
  /** Unknown for pixels of another decoder. */
  facts: Facts | undefined;
  /** `decoded`, `resized`, `cropped`, `pixel_values`. */
  stages: Stage[];
  /** The first three as pictures, large ones at a smaller size. */
  pictures: ImageBitmap[];
  ms: { decode: number; prepare: number };
}

export type InspectRequest = { id: number } & (
  | { op: "start"; configuration: string }
  | { op: "bytes"; bytes: ArrayBuffer }
  | { op: "pixels"; data: Uint8ClampedArray; width: number; height: number }
  | { op: "tokens"; text: string; max: number }
);
