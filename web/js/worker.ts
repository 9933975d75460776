// The worker: owns the modules and the weights, answers one message after the other.

import { type Engine, startDecoders, startEngine } from "./engine.js";
import { ClipError, failure } from "./errors.js";
import { type Manifest } from "./manifest.js";
import { parent, processors } from "./platform.js";
import type { Request, Loaded, Picture, Stage, WorkerOptions } from "./protocol.js";
import { type Report, serve } from "./rpc.js";
import { type Spawn, spawner, threadOf } from "./threads.js";
import type { Wasm } from "./wasm.js";
import { Weights } from "./weights.js";

const MAX_THREADS = 8;

class Model {
  private constructor(
    private readonly engine: Engine,
    private readonly weights: Weights,
    private readonly options: WorkerOptions,
    private images: Promise<Wasm> | undefined,
  ) {}

  static async load(
    options: WorkerOptions,
    signal: AbortSignal,
    report: Report,
    spawn: Spawn,
  ): Promise<Model> {
    const towers = options.towers;
    // One token of text takes one pass over the weights: threads would wait for memory.
    const threads = options.threads ?? (towers === "text" ? 1 : Math.min(4, await processors()));
    let known: (bytes: number) => void = () => undefined;
    const bytes = new Promise<number>((resolve) => (known = resolve));
    // The module is compiled while the manifest is on its way.
    const starting = startEngine(
      {
        threads: Math.max(1, Math.min(MAX_THREADS, threads)),
        kernel: options.kernel,
        precision: options.precision,
        bytes,
      },
      spawn,
    );
    // Whoever awaits it sees its failure; until then it is no unhandled one.
    starting.catch(() => undefined);
    const weights = await Weights.open(
      options.model,
      options.cache,
      {
        onProgress: (progress) => report({ progress }),
        onWarning: (warning) => report({ warning: failure(warning) }),
        digest: async (bytes) => new TextDecoder().decode((await starting).wasm.call("sha256", bytes)),
      },
      signal,
    );
    const { manifest } = weights;
    const { text, vision, tokens } = manifest.parts;
    const parts = [...(towers === "vision" ? [] : [text]), ...(towers === "text" ? [] : [vision])];
    const files = [...parts, ...(towers === "vision" ? [] : [tokens])];
    // Values may lie in the files at half their size.
    known(2 * files.reduce((sum, part) => sum + part.size, 0));
    const whole = towers !== "vision" && options.tokens === "whole";
    weights.expect(whole ? [...parts, tokens] : parts);
    const images = towers === "text" ? undefined : startImages(manifest, options.profile);
    images?.catch(() => undefined);
    const begun = Promise.all([starting, weights.asked]).then(([engine]) => {
      engine.wasm.call("begin", JSON.stringify({
        config: manifest.config,
        towers,
        weights: manifest.weights,
        token_rows: towers === "vision" ? null : tokens.rows,
        precision: options.precision,
      }));
      return engine;
    });
    begun.catch(() => undefined);
    for (const part of parts) {
      await weights.all(part, signal, async (_, chunk) => (await begun).wasm.load(chunk));
    }
    const engine = await begun;
    engine.wasm.call("finish", undefined);
    const model = new Model(engine, weights, options, images);
    if (whole) await model.fillTokens(signal);
    await images;
    return model;
  }

  get loaded(): Loaded {
    const { manifest } = this.weights;
    const [scale = 1] = floats(this.engine.wasm.call("logit_scale", undefined));
    return {
      model: manifest.model,
      revision: manifest.revision,
      weights: manifest.weights,
      ...(manifest.tokenizer === undefined ? {} : { tokenizer: manifest.tokenizer }),
      numerics: manifest.numerics,
      preprocessing: this.options.profile,
      dimensions: manifest.config.projection_dim,
      logitScale: scale,
      kernel: this.engine.kernel,
      exact: this.exact,
      threads: this.engine.threads,
      memory: this.engine.wasm.memory.buffer.byteLength,
      towers: this.options.towers,
    };
  }

  /** Whether the towers compute in the bits of the native program. */
  private get exact(): boolean {
    return this.engine.kernel !== "wasm-unfused";
  }

  async embedTexts(texts: string[], signal: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    const json = JSON.stringify(texts);
    await this.tokensFor(json, signal);
    return floats(this.engine.wasm.call("embed_texts", json));
  }

  /** Gets the blocks of the token embedding that these texts need. */
  private async tokensFor(json: string, signal: AbortSignal): Promise<void> {
    const missing = this.engine.wasm.json<number[]>("missing_blocks", json);
    if (missing.length > 0) await this.blocks(missing, signal);
    signal.throwIfAborted();
  }

  /** Gets all blocks of the token embedding. */
  async fillTokens(signal: AbortSignal): Promise<void> {
    if (this.options.towers === "vision") return;
    const { sha256 } = this.weights.manifest.parts.tokens;
    // In pieces, so that a query that needs a block does not wait for all of them.
    for (let start = 0; start < sha256.length; start += 32) {
      const all = Array.from({ length: Math.min(32, sha256.length - start) }, (_, i) => start + i);
      await this.blocks(all.filter((block) => !this.have.has(block)), signal);
    }
  }

  private readonly have = new Set<number>();

  private async blocks(indices: number[], signal: AbortSignal): Promise<void> {
    const { tokens } = this.weights.manifest.parts;
    await this.weights.some(tokens, indices, signal, (index, chunk) => {
      this.engine.wasm.call("add_block", chunk, index, tokens.bits);
      this.have.add(index);
    });
  }

  async embedImage(
    picture: Picture,
    signal: AbortSignal,
  ): Promise<{ vectors: Float32Array<ArrayBuffer>; exact: boolean }> {
    const { pixels, exact } = await this.pixels(picture, signal);
    return { vectors: floats(this.engine.wasm.call("embed_pixels", pixels)), exact: exact && this.exact };
  }

  async trace(input: string | Picture, signal: AbortSignal): Promise<{ stages: Stage[]; exact: boolean }> {
    const { wasm } = this.engine;
    if (typeof input === "string") {
      const json = JSON.stringify([input]);
      await this.tokensFor(json, signal);
      return { stages: wasm.json<{ stages: Stage[] }>("trace_text", json).stages, exact: this.exact };
    }
    const { pixels, exact, stages } = await this.pixels(input, signal, true);
    const tower = wasm.json<{ stages: Stage[] }>("trace_pixels", pixels);
    return { stages: [...stages, ...tower.stages], exact: exact && this.exact };
  }

  /** Pixel values of a picture; and, if asked for, the stages on the way. */
  private async pixels(
    picture: Picture,
    signal: AbortSignal,
    trace = false,
  ): Promise<{ pixels: Uint8Array; exact: boolean; stages: Stage[] }> {
    this.images ??= startImages(this.weights.manifest, this.options.profile);
    const images = await this.images;
    if (picture.kind === "pixels") {
      return { pixels: ofRgba(images, picture.data, picture.width, picture.height), exact: false, stages: [] };
    }
    let blob: Blob | undefined;
    if (picture.kind === "blob") blob = picture.blob;
    if (picture.kind === "url") blob = await fetchPicture(picture.url, signal);
    const bytes = new Uint8Array(picture.kind === "bytes" ? picture.bytes : await blob!.arrayBuffer());
    signal.throwIfAborted();
    try {
      const pixels = images.call("pixels", bytes);
      const stages = trace ? images.json<{ stages: Stage[] }>("trace", bytes).stages : [];
      return { pixels, exact: true, stages };
    } catch (error) {
      if (!(error instanceof ClipError) || error.kind !== "image.unsupported") throw error;
      const decoded = await browserPixels(blob ?? new Blob([bytes]));
      // What neither decoder reads: our message says more.
      if (!decoded) throw error;
      const { data, width, height } = decoded;
      return { pixels: ofRgba(images, data, width, height), exact: false, stages: [] };
    }
  }
}

async function startImages(manifest: Manifest, profile: string): Promise<Wasm> {
  const wasm = await startDecoders();
  wasm.call("configure", JSON.stringify({
    preprocessor: manifest.preprocessor ?? null,
    image_size: manifest.config.vision_config.image_size,
    profile,
  }));
  return wasm;
}

function ofRgba(images: Wasm, data: Uint8ClampedArray, width: number, height: number): Uint8Array {
  return images.call("pixels_of_rgba", new Uint8Array(data.buffer, data.byteOffset, data.length), width, height);
}

/** AVIF, HEIC and others that only the browser reads. */
async function browserPixels(blob: Blob): Promise<ImageData | undefined> {
  if (typeof createImageBitmap === "undefined" || typeof OffscreenCanvas === "undefined") return undefined;
  try {
    const bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
    context?.drawImage(bitmap, 0, 0);
    return context?.getImageData(0, 0, bitmap.width, bitmap.height);
  } catch {
    return undefined;
  }
}

async function fetchPicture(url: string, signal: AbortSignal): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new ClipError(
      "network",
      `cannot get the picture ${url}: check the address; a picture of another origin needs its CORS headers`,
      { cause: error },
    );
  }
  if (!response.ok) {
    throw new ClipError("network", `the picture ${url} answered with status ${response.status}`);
  }
  return response.blob();
}

function floats(bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  // wasm and every machine that runs it are little-endian.
  return new Float32Array(bytes.buffer, 0, bytes.length / 4);
}

let model: Model | undefined;

async function run(
  request: Request,
  signal: AbortSignal,
  report: Report,
  spawn: Spawn,
): Promise<[unknown, Transferable[]?]> {
  if (request.op === "load") {
    model = await Model.load(request.options, signal, report, spawn);
    return [model.loaded];
  }
  if (!model) throw new ClipError("internal", "the model is not loaded");
  switch (request.op) {
    case "texts": {
      const vectors = await model.embedTexts(request.texts, signal);
      return [vectors, [vectors.buffer]];
    }
    case "image": {
      const result = await model.embedImage(request.picture, signal);
      return [result, [result.vectors.buffer]];
    }
    case "trace":
      return [await model.trace(request.input, signal)];
    case "fill":
      return [await model.fillTokens(signal)];
  }
}

void parent().then((page) => {
  // Threads of the pool run this file as well.
  threadOf(page);
  const spawn = spawner(page);
  serve<Request>(page, (request, signal, report) => run(request, signal, report, spawn));
});
