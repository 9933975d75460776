/// <reference lib="esnext.disposable" preserve="true" />
/**
 * CLIP in the page: the same 512 floats, to the last bit, as the native program computes.
 *
 * ```js
 * const clip = await Clip.load({ model: "/models/clip-vit-base-patch32/", towers: "text" });
 * const { normalized } = await clip.embedText("a red dress");
 * ```
 */

import { type Configuration, configure, finder } from "../runtime/assets.js";
import { oneOf } from "../runtime/choice.js";
import { disposable } from "../runtime/dispose.js";
import { ClipError, type ClipErrorKind, aborted, isAbort } from "../runtime/errors.js";
import { address } from "../runtime/platform.js";
import { type AskOptions, Remote } from "../runtime/rpc.js";
import { startWorker } from "../runtime/workers.js";
import { TEMPLATE, type Classification, prompts, ranked } from "./classify.js";
import { modules, script } from "./files.js";
import { type ImageSource, type Sent, sent } from "./inputs.js";
import type { BatchOptions, CallOptions, ClassifyOptions, Embedding, LoadOptions } from "./options.js";
import type { ImageVectors, Loaded, Precision, Provenance, Request, Stage, Towers } from "./protocol.js";
import { withThreads } from "./threads.js";
import type { Progress } from "./weights.js";

export { ClipError, configure };
export type {
  BatchOptions, CallOptions, Classification, ClassifyOptions, ClipErrorKind, Configuration, Embedding, ImageSource,
  LoadOptions, Loaded, Precision, Progress, Provenance, Stage, Towers,
};

/** Images of a batch on their way at a time: one is fetched while another is computed. */
const LANES = 2;

/** A loaded model, in a worker of its own. */
export class Clip {
  private filling = false;
  private loaded!: Loaded;
  /** The labels that were asked for last, and their vectors. */
  private labels: { key: string; vectors: Float32Array[] } | undefined;

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
    if (typeof options !== "object" || options === null) throw new ClipError("input", "load takes an object with `model`");
    if (options.signal?.aborted) throw aborted(options.signal);
    const towers = oneOf("towers", options.towers ?? "both", ["text", "vision", "both"]);
    const tokens = oneOf("tokens", options.tokens ?? "fill", ["fill", "blocks", "whole"]);
    const kernel = oneOf("kernel", options.kernel ?? "auto", ["auto", "fallback"]);
    const precision = oneOf("precision", options.precision ?? "exact", ["exact", "auto"]);
    const gpu = oneOf("gpu", options.gpu ?? "off", ["off", "auto"]);
    const find = await finder(options.baseUrl);
    const open = () => startWorker(script(find), "clip");
    const worker = withThreads(await open(), open);
    const clip = new Clip(new Remote(worker, "the model", (warning) => options.onWarning?.(warning)), options);
    try {
      clip.loaded = await clip.ask(
        {
          op: "load",
          options: {
            model: await address(options.model, "`model` is the address of a folder made by `scraper model pack`"),
            files: modules(find),
            towers,
            threads: options.threads,
            tokens,
            profile: options.profile ?? "hf-endpoint",
            cache: options.cache ?? true,
            kernel,
            precision,
            gpu,
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
    return this.provenanceOf(this.loaded.exact ? "exact" : "unfused");
  }

  private provenanceOf(device: string): Provenance {
    const { model, revision, weights, tokenizer, preprocessing, numerics } = this.loaded;
    const known = tokenizer === undefined ? {} : { tokenizer };
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
    const { vectors, exact, device }: ImageVectors = await this.askOf("image", source, options);
    return this.embedding(vectors, 0, exact, device);
  }

  /**
   * Images in their order, with the same bits as one by one; few are in memory at a time. The first that
   * fails ends the batch, unless `settled`: then the answer says of each how it went.
   *
   * @throws ClipError with the `index` of the image
   */
  embedImages(sources: readonly ImageSource[], options?: BatchOptions & { settled?: false }): Promise<Embedding[]>;
  embedImages(sources: readonly ImageSource[], options: BatchOptions & { settled: true }): Promise<PromiseSettledResult<Embedding>[]>;
  async embedImages(
    sources: readonly ImageSource[],
    { settled = false, ...options }: BatchOptions = {},
  ): Promise<Embedding[] | PromiseSettledResult<Embedding>[]> {
    if (!Array.isArray(sources)) throw new ClipError("input", "embedImages takes an array of images");
    const ends: PromiseSettledResult<Embedding>[] = new Array(sources.length);
    let next = 0;
    let stop: Error | undefined;
    const lane = async () => {
      while (next < sources.length && !stop) {
        const index = next++;
        try {
          ends[index] = { status: "fulfilled", value: await this.embedImage(sources[index], options) };
        } catch (error) {
          const reason = numbered(error, index);
          ends[index] = { status: "rejected", reason };
          // An abort is of the whole batch.
          if (!settled || isAbort(reason)) stop ??= reason as Error;
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    if (stop) throw stop;
    return settled ? ends : ends.map((end) => (end as PromiseFulfilledResult<Embedding>).value);
  }

  /**
   * Which of `labels` fits an image, with no training for them: HF's pipeline
   * `zero-shot-image-classification`. The most probable first; all scores add up to 1.
   *
   * @throws ClipError
   */
  async classify(image: ImageSource, labels: string[], options: ClassifyOptions = {}): Promise<Classification[]> {
    const { template = TEMPLATE, ...call } = options;
    const texts = prompts(labels, template);
    const { towers, logitScale } = this.loaded;
    if (towers !== "both") throw new ClipError("tower_not_loaded", 'classify needs both towers: load with towers: "both"');
    const key = JSON.stringify(texts);
    if (this.labels?.key !== key) {
      const embedded = await this.embedTexts(texts, { signal: call.signal });
      this.labels = { key, vectors: embedded.map(({ normalized }) => normalized) };
    }
    const { vectors } = this.labels;
    const { normalized } = await this.embedImage(image, call);
    return ranked(normalized, vectors, labels, logitScale);
  }

  /**
   * Digests of every stage, to find where two results part: of an image, as what computes images (`info.gpu`,
   * else wasm) has them. A string is a text; for an address use `URL`.
   */
  async trace(input: string | ImageSource, options: CallOptions = {}): Promise<{ stages: Stage[]; exact: boolean }> {
    if (typeof input !== "string") return this.askOf("trace", input, options);
    return this.ask({ op: "trace", input: wellFormed(input) }, { signal: options.signal });
  }

  /** Gets what is missing of the token embedding; see [`LoadOptions.tokens`]. */
  async fillTokens(options: CallOptions = {}): Promise<void> {
    await this.fill({ signal: options.signal });
  }

  /** Ends the worker and frees its memory. Calls that are waiting fail with kind `disposed`. */
  dispose(): void {
    this.end("the model was disposed of: load it again");
  }

  /** Resolves when the worker has ended. */
  ended(): Promise<void> {
    return this.remote.ended;
  }

  private async fill(options: AskOptions): Promise<void> {
    this.filling = true;
    await this.ask({ op: "fill" }, options);
  }

  private fillInBackground(): void {
    if (this.filling || (this.options.tokens ?? "fill") !== "fill") return;
    this.fill({ background: true }).catch((error: ClipError) => {
      this.filling = false;
      if (error.kind !== "disposed") this.options.onWarning?.(error);
    });
  }

  private embedding(
    vectors: Float32Array<ArrayBuffer>, index: number, exact: boolean, device = this.provenance.device,
  ): Embedding {
    const { dimensions: n } = this.loaded;
    const values = vectors.subarray(2 * index * n, (2 * index + 1) * n);
    const normalized = vectors.subarray((2 * index + 1) * n, (2 * index + 2) * n);
    return { values, normalized, exact, provenance: this.provenanceOf(device) };
  }

  /** Asks about an image. */
  private async askOf<T>(op: "image" | "trace", source: ImageSource, options: CallOptions): Promise<T> {
    const { signal } = options;
    if (signal?.aborted) throw aborted(signal);
    const put = ({ image, transfer }: Sent): Promise<T> =>
      this.ask(op === "image" ? { op, image } : { op, input: image }, { transfer, signal });
    const first = await sent(source, options.transfer ?? false);
    try {
      return await put(first);
    } catch (error) {
      const kind = error instanceof ClipError ? error.kind : undefined;
      if (!first.otherwise || (kind !== "network" && kind !== "image.unsupported")) throw error;
      try {
        return await put(await first.otherwise());
      } catch (second) {
        // Of the file, the error says more than of pixels that cannot be had either.
        throw isAbort(second) ? second : error;
      }
    }
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

/** `using` and `await using` give the model back. */
export interface Clip extends Disposable, AsyncDisposable {}
disposable(Clip);

/** Unpaired surrogates, which no UTF-8 has, become U+FFFD. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

/** An error of one image of a batch. */
function numbered(error: unknown, index: number): unknown {
  if (!(error instanceof ClipError)) return error;
  return new ClipError(error.kind, `image ${index}: ${error.message}`, { index, cause: error });
}
