// Images to pixel values: by this project's decoders, or where they cannot, by the browser's.

import { Decoders, initSync, throwPanics } from "../bindings/images.js";
import { ClipError, kindOf } from "../runtime/errors.js";
import { compile } from "../runtime/wasm.js";
import type { Manifest } from "./manifest.js";
import type { Image, Stage } from "./protocol.js";

/** Pixel values f32 `[3, size, size]`, and whether this project's decoders have made them. */
interface Pixels {
  pixels: Float32Array;
  exact: boolean;
}

/** The module with the decoders, configured for a model. */
export class Images {
  private constructor(private readonly decoders: Decoders) {}

  static async start(manifest: Manifest, profile: string): Promise<Images> {
    initSync({ module: await compile(new URL("./images.wasm", import.meta.url)) });
    throwPanics();
    const { preprocessor, config } = manifest;
    const json = preprocessor == null ? undefined : JSON.stringify(preprocessor);
    return new Images(new Decoders(json, config.vision_config.image_size, profile));
  }

  pixels(image: Image, signal: AbortSignal): Promise<Pixels> {
    return this.decoded(image, signal, (file) => ({ pixels: this.decoders.pixels(file) }));
  }

  /** As `pixels`, with the stages on the way where they are known. */
  async trace(image: Image, signal: AbortSignal): Promise<Pixels & { stages: Stage[] }> {
    const work = (file: Uint8Array) => {
      const traced = this.decoders.trace(file);
      return { stages: traced.stages(), pixels: traced.pixels() };
    };
    return { stages: [], ...(await this.decoded(image, signal, work)) };
  }

  private async decoded<T extends { pixels: Float32Array }>(
    image: Image,
    signal: AbortSignal,
    work: (file: Uint8Array) => T,
  ): Promise<(T | { pixels: Float32Array }) & { exact: boolean }> {
    if (image.kind === "pixels") return { pixels: this.ofRgba(image), exact: false };
    let blob: Blob | undefined;
    if (image.kind === "blob") blob = image.blob;
    if (image.kind === "url") blob = await fetchImage(image.url, signal);
    const bytes = new Uint8Array(image.kind === "bytes" ? image.bytes : await blob!.arrayBuffer());
    signal.throwIfAborted();
    try {
      return { ...work(bytes), exact: true };
    } catch (error) {
      if (kindOf(error) !== "image.unsupported") throw error;
      const decoded = await browserPixels(blob ?? new Blob([bytes]));
      // What neither decoder reads: our message says more.
      if (!decoded) throw error;
      return { pixels: this.ofRgba(decoded), exact: false };
    }
  }

  private ofRgba({ data, width, height }: { data: Uint8ClampedArray; width: number; height: number }): Float32Array {
    return this.decoders.pixelsOfRgba(width, height, new Uint8Array(data.buffer, data.byteOffset, data.length));
  }
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

async function fetchImage(url: string, signal: AbortSignal): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new ClipError(
      "network",
      `cannot get the image ${url}: check the address; an image of another origin needs its CORS headers`,
      { cause: error },
    );
  }
  if (!response.ok) {
    throw new ClipError("network", `the image ${url} answered with status ${response.status}`);
  }
  return response.blob();
}
