/**
 * CLIP in the page: the same 512 floats, to the last bit, as the native program computes.
 *
 * ```js
 * const clip = await Clip.load({ model: "/models/clip-vit-base-patch32/", towers: "text" });
 * const { normalized } = await clip.embedText("a red dress");
 * ```
 */

import { ClipError } from "../runtime/errors.js";
import { type WorkerPort, address, browserWorker, foreignWorker, isNode, nodeWorker } from "../runtime/platform.js";
import type { Image, Loaded, Precision, Provenance, Request, Stage, Towers } from "./protocol.js";
import { type AskOptions, Remote, aborted } from "../runtime/rpc.js";
import { withThreads } from "./threads.js";
import type { Progress } from "./weights.js";

export { ClipError };
export type { Loaded, Precision, Progress, Provenance, Stage, Towers };

/** Which model is loaded, and how. */
export interface LoadOptions {
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
  /** `"fallback"` avoids relaxed SIMD; for tests. */
  kernel?: "auto" | "fallback";
  onProgress?: (progress: Progress) => void;
  /** What went wrong without stopping the model, e.g. no storage to keep the weights in. */
  onWarning?: (warning: ClipError) => void;
  signal?: AbortSignal;
}

/** Of one call. */
export interface CallOptions {
  signal?: AbortSignal;
  /** Hands an `ArrayBuffer` over instead of copying it; it cannot be used afterwards. */
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
   * browser decoded (`ImageData`, and formats such as AVIF), and under `precision: "auto"` in engines
   * without a fused multiply-add.
   */
  exact: boolean;
  /** What made it; a catalogue refuses vectors of another. */
  provenance: Provenance;
}

/** Bytes of an image file, where they are, or pixels. */
export type ImageSource = Blob | ArrayBuffer | ArrayBufferView | URL | string | ImageData;

/** A loaded model, in a worker of its own. */
export class Clip {
  private filling = false;
  private loaded!: Loaded;

  private constructor(
    private readonly remote: Remote,
    private readonly options: LoadOptions,
  ) {}

  /**
   * Loads a packed model. Aborting `signal` keeps what has arrived, so that the next call resumes.
   *
   * @throws ClipError
   */
  static async load(options: LoadOptions): Promise<Clip> {
    if (options.signal?.aborted) throw aborted();
    const { precision = "exact" } = options;
    if (precision !== "exact" && precision !== "auto") {
      throw new ClipError("input", `a precision ${JSON.stringify(precision)}: give "exact" or "auto"`);
    }
    const worker = withThreads(await open(), open);
    const clip = new Clip(new Remote(worker, "model", (warning) => options.onWarning?.(warning)), options);
    try {
      clip.loaded = await clip.ask(
        {
          op: "load",
          options: {
            model: await address(options.model, "`model` is the address of a folder made by `scraper model pack`"),
            towers: options.towers ?? "both",
            threads: options.threads,
            tokens: options.tokens ?? "fill",
            profile: options.profile ?? "hf-endpoint",
            cache: options.cache ?? true,
            kernel: options.kernel ?? "auto",
            precision,
          },
        },
        { signal: options.signal, onProgress: options.onProgress },
      );
      return clip;
    } catch (error) {
      clip.end("the model was not loaded");
      throw error;
    }
  }

  /** What was loaded, and how it runs. */
  get info(): Loaded {
    return this.loaded;
  }

  /** What decides the bits of its vectors. */
  get provenance(): Provenance {
    const { model, revision, weights, tokenizer, preprocessing, numerics, exact } = this.loaded;
    const known = tokenizer === undefined ? {} : { tokenizer };
    const device = exact ? "exact" : "unfused";
    return { model, revision, weights, ...known, preprocessing, numerics, device };
  }

  /** @throws ClipError */
  async embedText(text: string, options: CallOptions = {}): Promise<Embedding> {
    const [embedding] = await this.embedTexts([text], options);
    return embedding!;
  }

  /** A batch gives the same bits as one by one. @throws ClipError */
  async embedTexts(texts: string[], options: CallOptions = {}): Promise<Embedding[]> {
    if (!Array.isArray(texts) || !texts.every((text) => typeof text === "string")) {
      throw new ClipError("input", "embedText takes a string, embedTexts an array of strings");
    }
    if (texts.length === 0) return [];
    const vectors: Float32Array<ArrayBuffer> = await this.ask(
      { op: "texts", texts: texts.map(wellFormed) }, { signal: options.signal },
    );
    this.fillInBackground();
    return texts.map((_, i) => this.embedding(vectors, i, this.loaded.exact));
  }

  /** @throws ClipError */
  async embedImage(source: ImageSource, options: CallOptions = {}): Promise<Embedding> {
    const [image, transfer] = imageOf(source, options.transfer ?? false);
    const result: { vectors: Float32Array<ArrayBuffer>; exact: boolean } =
      await this.ask({ op: "image", image }, { transfer, signal: options.signal });
    return this.embedding(result.vectors, 0, result.exact);
  }

  /** Digests of every stage, to find where two results part. A string is a text; for an address use `URL`. */
  async trace(input: string | ImageSource, options: CallOptions = {}): Promise<{ stages: Stage[]; exact: boolean }> {
    if (typeof input === "string") {
      return this.ask({ op: "trace", input: wellFormed(input) }, { signal: options.signal });
    }
    const [image, transfer] = imageOf(input, options.transfer ?? false);
    return this.ask({ op: "trace", input: image }, { transfer, signal: options.signal });
  }

  /** Gets what is missing of the token embedding; see [`LoadOptions.tokens`]. */
  async fillTokens(options: CallOptions = {}): Promise<void> {
    this.filling = true;
    await this.ask({ op: "fill" }, { signal: options.signal });
  }

  /** Ends the worker and frees its memory. Calls that are waiting fail with kind `disposed`. */
  dispose(): void {
    this.end("the model was disposed of: load it again");
  }

  private fillInBackground(): void {
    if (this.filling || (this.options.tokens ?? "fill") !== "fill") return;
    this.fillTokens().catch((error: ClipError) => {
      this.filling = false;
      if (error.kind !== "disposed") this.options.onWarning?.(error);
    });
  }

  private embedding(vectors: Float32Array<ArrayBuffer>, index: number, exact: boolean): Embedding {
    const { dimensions: n } = this.loaded;
    const values = vectors.subarray(2 * index * n, (2 * index + 1) * n);
    const normalized = vectors.subarray((2 * index + 1) * n, (2 * index + 2) * n);
    return { values, normalized, exact, provenance: this.provenance };
  }

  private ask<T>(
    request: Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never,
    options: AskOptions,
  ): Promise<T> {
    return this.remote.ask(request, options);
  }

  private end(why: string): void {
    this.remote.end(new ClipError("disposed", why));
  }
}

/** A worker that runs worker.js. */
async function open(): Promise<WorkerPort> {
  if (isNode) return nodeWorker(new URL("./worker.js", import.meta.url).href);
  try {
    return browserWorker(new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "clip" }));
  } catch (error) {
    return browserWorker(foreignWorker("./worker.js", "clip", error));
  }
}

/** Unpaired surrogates, which no UTF-8 has, become U+FFFD. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

function imageOf(source: ImageSource, transfer: boolean): [Image, Transferable[]] {
  if (source instanceof Blob) return [{ kind: "blob", blob: source }, []];
  if (source instanceof ArrayBuffer) {
    return [{ kind: "bytes", bytes: source }, transfer ? [source] : []];
  }
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    return [{ kind: "bytes", bytes: new Uint8Array(buffer, byteOffset, byteLength).slice().buffer }, []];
  }
  if (source instanceof URL) return [{ kind: "url", url: source.href }, []];
  if (typeof source === "string") {
    const base = isNode ? undefined : document.baseURI;
    if (!URL.canParse(source, base)) throw new ClipError("input", `${source} is not the address of an image`);
    return [{ kind: "url", url: new URL(source, base).href }, []];
  }
  if (typeof ImageData !== "undefined" && source instanceof ImageData) {
    const { data, width, height } = source;
    return [{ kind: "pixels", data: data as Uint8ClampedArray, width, height }, []];
  }
  throw new ClipError(
    "input",
    "embedImage takes a File, Blob, ArrayBuffer, typed array, URL or ImageData",
  );
}
