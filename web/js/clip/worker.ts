// The worker: owns the modules and the weights, answers one message after the other.

import type { Loader, Model as Towers, Texts } from "../bindings/engine.js";
import { ClipError, failure } from "../runtime/errors.js";
import { parent, processors } from "../runtime/platform.js";
import { type Report, serve } from "../runtime/rpc.js";
import type { StageValues } from "../gpu/index.js";
import { Gpu } from "./accelerate.js";
import { type Engine, startEngine } from "./engine.js";
import { Images } from "./images.js";
import type { Request, Loaded, Image, ImageVectors, Stage, WorkerOptions } from "./protocol.js";
import { type Spawn, spawner, threadOf } from "./threads.js";
import { Weights } from "./weights.js";

const MAX_THREADS = 8;

class Model {
  private constructor(
    private readonly engine: Engine,
    private readonly towers: Towers,
    private readonly weights: Weights,
    private readonly options: WorkerOptions,
    private images: Promise<Images> | undefined,
    private readonly gpu: Gpu | undefined,
  ) {}

  static async load(
    options: WorkerOptions,
    signal: AbortSignal,
    report: Report,
    spawn: Spawn,
  ): Promise<Model> {
    const towers = options.towers;
    const warn = (warning: ClipError) => report({ warning: failure(warning) });
    // One token of text takes one pass over the weights: threads would wait for memory.
    const threads = options.threads ?? (towers === "text" ? 1 : Math.min(4, await processors()));
    let known: (bytes: number) => void = () => undefined;
    const bytes = new Promise<number>((resolve) => (known = resolve));
    // The module is compiled while the manifest is on its way.
    const starting = startEngine(
      {
        files: options.files,
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
        onWarning: warn,
        digest: async (bytes) => (await starting).bindings.sha256(bytes),
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
    const images = towers === "text" ? undefined : Images.start(options.files, manifest, options.profile);
    images?.catch(() => undefined);
    const begun = Promise.all([starting, weights.asked]).then(([{ bindings }]) => {
      const config = JSON.stringify(manifest.config);
      const loader = new bindings.Loader(config, manifest.weights, towers, options.precision);
      if (towers !== "vision") loader.tokenBlocks(tokens.rows);
      return loader;
    });
    begun.catch(() => undefined);
    const gpu = options.gpu === "auto" && towers !== "text"
      ? await Gpu.start(options.files.gpu, manifest, options.precision, warn)
      : undefined;
    for (const part of parts) {
      await weights.all(part, signal, async (_, chunk) => {
        push(await begun, chunk);
        if (part === vision) await gpu?.push(chunk);
      });
    }
    const loaded = (await begun).finish();
    const model = new Model(await starting, loaded, weights, options, images, gpu);
    const { image_size } = manifest.config.vision_config;
    await gpu?.check(image_size, options.precision, model.exact, (pixels) => loaded.embedPixels(pixels));
    if (whole) await model.fillTokens(signal);
    await images;
    return model;
  }

  get loaded(): Loaded {
    const { manifest } = this.weights;
    return {
      model: manifest.model,
      revision: manifest.revision,
      weights: manifest.weights,
      ...(manifest.tokenizer === undefined ? {} : { tokenizer: manifest.tokenizer }),
      numerics: manifest.numerics,
      preprocessing: this.options.profile,
      dimensions: manifest.config.projection_dim,
      logitScale: this.towers.logitScale,
      kernel: this.engine.kernel,
      exact: this.exact,
      gpu: this.gpu?.name ?? null,
      threads: this.engine.threads,
      memory: this.engine.memory.buffer.byteLength,
      towers: this.options.towers,
    };
  }

  /** Whether the towers compute in the bits of the native program. */
  private get exact(): boolean {
    return this.engine.kernel !== "wasm-unfused";
  }

  embedTexts(texts: string[], signal: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    return this.tokenized(texts, signal, (tokens) => this.towers.embedTexts(tokens));
  }

  /** Works on texts, for which the blocks of the token embedding are there. */
  private async tokenized<T>(texts: string[], signal: AbortSignal, work: (texts: Texts) => T): Promise<T> {
    const tokens = this.towers.tokenize(texts);
    try {
      const missing = [...this.towers.missingBlocks(tokens)];
      if (missing.length > 0) await this.blocks(missing, signal);
      signal.throwIfAborted();
      return work(tokens);
    } finally {
      tokens.free();
    }
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
      this.towers.addBlock(index, tokens.bits, chunk);
      this.have.add(index);
    });
  }

  async embedImage(
    image: Image,
    signal: AbortSignal,
  ): Promise<ImageVectors> {
    const { pixels, exact } = await (await this.decoders()).pixels(image, signal);
    const vectors = await this.gpu?.embed(pixels);
    const tower = vectors ? this.gpu!.exact : this.exact;
    const device = tower ? "exact" : "unfused";
    return { vectors: vectors ?? this.towers.embedPixels(pixels), exact: exact && tower, device };
  }

  async trace(input: string | Image, signal: AbortSignal): Promise<{ stages: Stage[]; exact: boolean }> {
    if (typeof input === "string") {
      const stages = await this.tokenized([input], signal, () => this.towers.traceText(input));
      return { stages, exact: this.exact };
    }
    const { pixels, exact, stages } = await (await this.decoders()).trace(input, signal);
    const computed = await this.gpu?.trace(pixels);
    const digest = ({ values, ...stage }: StageValues): Stage =>
      ({ ...stage, sha256: this.engine.bindings.sha256(new Uint8Array(values.buffer)) });
    const tower = computed ? computed.map(digest) : this.towers.tracePixels(pixels);
    return { stages: [...stages, ...tower], exact: exact && (computed ? this.gpu!.exact : this.exact) };
  }

  private decoders(): Promise<Images> {
    const { files, profile } = this.options;
    return (this.images ??= Images.start(files, this.weights.manifest, profile));
  }
}

/** Puts bytes of weights where they are needed: into the wasm memory. */
function push(loader: Loader, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0; ) {
    const spare = loader.spareCapacity();
    const now = rest.subarray(0, spare.length);
    spare.set(now);
    loader.advance(now.length);
    rest = rest.subarray(now.length);
  }
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
      const result = await model.embedImage(request.image, signal);
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
