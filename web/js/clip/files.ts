// The files of a model's worker, by names that bundlers find and copy.

import type { Find } from "../runtime/assets.js";

/** Addresses of the wasm modules, and of a script that few need. */
export interface ModuleFiles {
  images: string;
  /** The same decoders with AVIF, TIFF, ICO, TGA, PNM and QOI; see `images.ts`. */
  formats: string;
  /** The fastest first; see `engine.ts`. */
  relaxed: string;
  fallback: string;
  relaxedThreads: string;
  fallbackThreads: string;
  /** The script of `../gpu`. */
  gpu: string;
}

/** The worker's script. */
export const script = (find: Find): string => find("worker.js", () => new URL("./worker.js", import.meta.url));

/** What the worker loads some of. */
export const modules = (find: Find): ModuleFiles => ({
  images: find("images.wasm", () => new URL("./images.wasm", import.meta.url)),
  formats: find("formats.wasm", () => new URL("./formats.wasm", import.meta.url)),
  relaxed: find("engine-relaxed.wasm", () => new URL("./engine-relaxed.wasm", import.meta.url)),
  fallback: find("engine-fallback.wasm", () => new URL("./engine-fallback.wasm", import.meta.url)),
  relaxedThreads: find("engine-relaxed-threads.wasm", () => new URL("./engine-relaxed-threads.wasm", import.meta.url)),
  fallbackThreads: find("engine-fallback-threads.wasm", () => new URL("./engine-fallback-threads.wasm", import.meta.url)),
  gpu: find("gpu.js", () => new URL("./gpu.js", import.meta.url)),
});
