// What the page and the worker say to each other.

import type { Precision, Stage, Towers } from "../bindings/engine.js";
import type { ModuleFiles } from "./files.js";

export type { Precision, Stage, Towers };

/** An image as it goes to the worker. */
export type Image =
  | { kind: "bytes"; bytes: ArrayBuffer }
  | { kind: "blob"; blob: Blob }
  | { kind: "url"; url: string; /** Whether the browser has it, as it shows it. */ shown?: boolean }
  | { kind: "bitmap"; bitmap: ImageBitmap }
  | { kind: "pixels"; data: Uint8ClampedArray; width: number; height: number };

/** [`LoadOptions`] with all defaults filled in. */
export interface WorkerOptions {
  model: string;
  files: ModuleFiles;
  towers: Towers;
  threads: number | undefined;
  tokens: "fill" | "blocks" | "whole";
  profile: string;
  cache: boolean | string;
  kernel: "auto" | "fallback";
  precision: Precision;
  gpu: "off" | "auto";
}

/** What comes of an image: the raw vector, then the one of unit length. */
export interface ImageVectors {
  vectors: Float32Array<ArrayBuffer>;
  exact: boolean;
  /** Of the tower; the pixels may be inexact all the same. */
  device: string;
}

/** What decides the bits of a vector besides its input; only vectors of the same may be compared. */
export interface Provenance {
  model: string;
  revision: string | null;
  /** Digest of all weights. */
  weights: string;
  /** Digest of the tokenizer, where known. */
  tokenizer?: string;
  /** Profile of the image preprocessing. */
  preprocessing: string;
  /** Version of the numeric contract. */
  numerics: number;
  /** `exact`, `unfused` (see [`LoadOptions.precision`]), or the accelerator that computed it. */
  device: string;
}

/** What is known about a loaded model: the provenance of its vectors, and how it runs. */
export interface Loaded {
  model: string;
  revision: string | null;
  /** Digest of all weights. */
  weights: string;
  /** Digest of the tokenizer; models packed by older versions do not tell it. */
  tokenizer?: string;
  /** Version of the numeric contract. */
  numerics: number;
  /** Profile of the image preprocessing. */
  preprocessing: string;
  /** Length of a vector. */
  dimensions: number;
  logitScale: number;
  /** `wasm-relaxed`, `wasm-emulated` (the same bits, slower), or `wasm-unfused` (other bits). */
  kernel: string;
  /** Whether vectors have the bits of the native program. */
  exact: boolean;
  /** The GPU that computes images, by name; null where wasm does. */
  gpu: string | null;
  threads: number;
  /** Bytes of wasm memory after loading, decoders not counted. */
  memory: number;
  towers: Towers;
}

/** A question to the worker. */
export type Request = { id: number } & (
  | { op: "load"; options: WorkerOptions }
  | { op: "texts"; texts: string[] }
  | { op: "image"; image: Image }
  | { op: "trace"; input: string | Image }
  | { op: "fill" }
);
