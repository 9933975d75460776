/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Every stage of one input, for people who want to see where two results part. Browsers only.
 *
 * ```js
 * const inspector = await Inspector.open({ model: "/model/" });
 * const { run, pictures } = await inspector.image(file);
 * download(traceJson([run])); // what `scraper embed --trace --format json` writes
 * ```
 */

import { ClipError } from "../runtime/errors.js";
import type { Facts, InspectRequest, Prepared, Tokens } from "./protocol.js";
import { type Run } from "./run.js";
import { isBeforeModel } from "./stages.js";
import { Clip, type LoadOptions } from "../clip/index.js";
import { parseManifest } from "../clip/manifest.js";
import { finder } from "../runtime/assets.js";
import { disposable } from "../runtime/dispose.js";
import { address } from "../runtime/platform.js";
import { Remote } from "../runtime/rpc.js";
import { startWorker } from "../runtime/workers.js";

export type { Facts, Tokens };
export { type Run, traceJson } from "./run.js";

/** Who turns the file into pixels: this project's decoders, or the browser's. */
export type Decoder = "own" | "browser";

/** Milliseconds. */
export interface Times {
  /** Decoding, for images. */
  decode?: number;
  /** Resizing, cropping and normalising, for images. */
  prepare?: number;
  /** From file or text to vector, as `Clip` does it. */
  embed: number;
}

/** One input, stage by stage. */
export interface Inspection {
  /** As the native program writes it, with what only this page knows under `environment`. */
  run: Run;
  exact: boolean;
  times: Times;
  /** Of images: decoded, resized, cropped; large ones at a smaller size. */
  pictures?: ImageBitmap[];
  facts?: Facts;
  /** Of texts. */
  tokens?: Tokens;
}

/** A model with both towers, and a worker that shows what happens before them. */
export class Inspector {
  private constructor(
    readonly clip: Clip,
    private readonly remote: Remote,
    private readonly maxTokens: number,
  ) {}

  /** @throws ClipError */
  static async open(options: LoadOptions): Promise<Inspector> {
    const clip = await Clip.load({ ...options, towers: "both" });
    let remote: Remote | undefined;
    try {
      const folder = (await address(options.model, "`model` is the address of a packed model")).replace(/\/?$/, "/");
      const find = await finder(options.baseUrl);
      const script = find("inspect-worker.js", () => new URL("./inspect-worker.js", import.meta.url));
      remote = new Remote(await startWorker(script, "clip-inspect"), "the inspector", () => undefined);
      const url = `${folder}manifest.json`;
      const manifest = parseManifest(await (await fetch(url)).text(), url);
      const inspector = new Inspector(clip, remote, manifest.config.text_config.max_position_embeddings);
      await inspector.ask({
        op: "start",
        wasm: find("inspect.wasm", () => new URL("./inspect.wasm", import.meta.url)),
        preprocessor: manifest.preprocessor == null ? undefined : JSON.stringify(manifest.preprocessor),
        imageSize: manifest.config.vision_config.image_size,
        profile: clip.info.preprocessing,
      });
      return inspector;
    } catch (error) {
      clip.dispose();
      remote?.end(new ClipError("disposed", "the inspector was not opened"));
      throw error;
    }
  }

  /** An image file through all stages. @throws ClipError */
  async image(file: Blob, name: string, decoder: Decoder = "own"): Promise<Inspection> {
    const bytes = await file.arrayBuffer();
    const started = performance.now();
    let prepared: Prepared | undefined;
    let pixels: ImageData | undefined;
    if (decoder === "own") {
      try {
        prepared = await this.ask<Prepared>({ op: "bytes", bytes });
      } catch (error) {
        // As `Clip.embedImage`: what only the browser reads is better than nothing.
        if (!(error instanceof ClipError) || error.kind !== "image.unsupported") throw error;
        pixels = await browserPixels(file).catch(() => undefined);
        if (!pixels) throw error;
      }
    }
    if (!prepared) {
      pixels ??= await browserPixels(file);
      const decode = performance.now() - started;
      const { data, width, height } = pixels;
      prepared = await this.ask<Prepared>({ op: "pixels", data: data as Uint8ClampedArray, width, height });
      prepared.ms.decode = decode;
    }
    const source = pixels ?? file;
    const { stages } = await this.clip.trace(source);
    const { run, exact, embed } = await this.run(name, "image", () => this.clip.embedImage(source));
    // Of pixels, `Clip` does not know where they come from.
    run.trace = pixels ? [...prepared.stages, ...stages.filter((stage) => !isBeforeModel(stage.name))] : stages;
    const { gpu } = this.clip.info;
    run.environment = { ...run.environment, decoder: pixels ? "browser" : "own", ...(gpu === null ? {} : { gpu }) };
    return {
      run, exact, times: { ...prepared.ms, embed }, pictures: prepared.images,
      ...(prepared.facts && { facts: prepared.facts }),
    };
  }

  /** A text through all stages. @throws ClipError */
  async text(text: string): Promise<Inspection> {
    const tokens = await this.ask<Tokens>({ op: "tokens", text, max: this.maxTokens });
    const { stages } = await this.clip.trace(text);
    const { run, exact, embed } = await this.run(text, "text", () => this.clip.embedText(text));
    run.trace = stages;
    return { run, exact, times: { embed }, tokens };
  }

  /** Ends the workers and frees their memory. */
  dispose(): void {
    this.clip.dispose();
    this.remote.end(new ClipError("disposed", "the inspector was disposed of: open it again"));
  }

  /** Resolves when the workers have ended. */
  async ended(): Promise<void> {
    await Promise.all([this.clip.ended(), this.remote.ended]);
  }

  private async run(
    input: string,
    kind: Run["kind"],
    work: () => ReturnType<Clip["embedText"]>,
  ): Promise<{ run: Run; exact: boolean; embed: number }> {
    const started = performance.now();
    const { normalized, exact, provenance } = await work();
    const embed = performance.now() - started;
    const { kernel, threads } = this.clip.info;
    const run: Run = {
      input, kind, dim: normalized.length, normalized: true, embedding: normalized,
      provenance,
      environment: { agent: navigator.userAgent, kernel, threads },
    };
    return { run, exact, embed };
  }

  private ask<T>(
    request: InspectRequest extends infer R ? (R extends InspectRequest ? Omit<R, "id"> : never) : never,
  ): Promise<T> {
    return this.remote.ask<T>(request);
  }
}

/** `using` and `await using` give the inspector back. */
export interface Inspector extends Disposable, AsyncDisposable {}
disposable(Inspector);

/** A file's pixels as pages usually get them: through the browser's decoder and a canvas. */
async function browserPixels(file: Blob): Promise<ImageData> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch (error) {
    throw new ClipError("image.unsupported", "this browser cannot decode the file either", { cause: error });
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new ClipError("engine", "this browser gives no canvas to read pixels from");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}
