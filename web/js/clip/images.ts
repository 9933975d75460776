// Images to pixel values: by this project's decoders, or where they cannot, by the browser's.

import * as formats from "../bindings/formats.js";
import * as plain from "../bindings/images.js";
import { ClipError, kindOf, reason } from "../runtime/errors.js";
import { fs } from "../runtime/platform.js";
import { compile } from "../runtime/wasm.js";
import type { ModuleFiles } from "./files.js";
import type { Manifest } from "./manifest.js";
import type { Image, Stage } from "./protocol.js";

/** Pixel values f32 `[3, size, size]`, and whether this project's decoders have made them. */
interface Pixels {
  pixels: Float32Array;
  exact: boolean;
}

type Decoders = plain.Decoders | formats.Decoders;

/** The modules with the decoders, configured for a model. That with all formats starts with the first file that needs it. */
export class Images {
  private formats: Promise<Decoders> | undefined;

  private constructor(
    private readonly decoders: Decoders,
    private readonly startFormats: () => Promise<Decoders>,
  ) {}

  static async start(files: ModuleFiles, manifest: Manifest, profile: string): Promise<Images> {
    const { preprocessor, config } = manifest;
    const json = preprocessor == null ? undefined : JSON.stringify(preprocessor);
    const started = async (bindings: typeof plain | typeof formats, module: string) => {
      bindings.initSync({ module: await compile(module) });
      bindings.throwPanics();
      return new bindings.Decoders(json, config.vision_config.image_size, profile);
    };
    return new Images(await started(plain, files.images), () => started(formats, files.formats));
  }

  pixels(image: Image, signal: AbortSignal): Promise<Pixels> {
    return this.decoded(image, signal, (decoders, file) => ({ pixels: decoders.pixels(file) }));
  }

  /** As `pixels`, with the stages on the way where they are known. */
  async trace(image: Image, signal: AbortSignal): Promise<Pixels & { stages: Stage[] }> {
    const work = (decoders: Decoders, file: Uint8Array) => {
      const traced = decoders.trace(file);
      return { stages: traced.stages(), pixels: traced.pixels() };
    };
    return { stages: [], ...(await this.decoded(image, signal, work)) };
  }

  private async decoded<T extends { pixels: Float32Array }>(
    image: Image,
    signal: AbortSignal,
    work: (decoders: Decoders, file: Uint8Array) => T,
  ): Promise<(T | { pixels: Float32Array }) & { exact: boolean }> {
    if (image.kind === "pixels") return { pixels: this.ofRgba(image), exact: false };
    if (image.kind === "bitmap") return { pixels: this.ofRgba(read(image.bitmap)), exact: false };
    const bytes = new Uint8Array(await bytesOf(image, signal));
    signal.throwIfAborted();
    try {
      return { ...work(await this.decodersFor(bytes), bytes), exact: true };
    } catch (error) {
      if (kindOf(error) !== "image.unsupported") throw error;
      const decoded = await browserPixels(new Blob([bytes]));
      // What neither decoder reads: our message says more.
      if (!decoded) throw error;
      return { pixels: this.ofRgba(decoded), exact: false };
    }
  }

  private async decodersFor(file: Uint8Array): Promise<Decoders> {
    if (!isRare(file)) return this.decoders;
    this.formats ??= this.startFormats();
    try {
      return await this.formats;
    } catch {
      // Tried again with the next file; of this one the browser's pixels are better than none.
      this.formats = undefined;
      return this.decoders;
    }
  }

  private ofRgba({ data, width, height }: { data: Uint8ClampedArray; width: number; height: number }): Float32Array {
    return this.decoders.pixelsOfRgba(width, height, new Uint8Array(data.buffer, data.byteOffset, data.length));
  }
}

/** By its first bytes: what may be AVIF, ICO or TGA, or is TIFF, PNM or QOI. */
function isRare(file: Uint8Array): boolean {
  const start = String.fromCharCode(...file.subarray(0, 8));
  return start.slice(4) === "ftyp" || /^(?:II[*+]\0|MM\0\*|qoif|P[1-6f]\s|[^][\0\x01][\x01-\x03\x09-\x0b])/.test(start);
}

/** HEIC and others that only the browser reads. */
async function browserPixels(blob: Blob): Promise<ImageData | undefined> {
  if (typeof createImageBitmap === "undefined" || typeof OffscreenCanvas === "undefined") return undefined;
  try {
    return read(await createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" }));
  } catch {
    return undefined;
  }
}

/** The pixels of a bitmap, which is closed. */
function read(bitmap: ImageBitmap): ImageData {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new ClipError("memory", `there is no memory to read an image of ${width} x ${height} pixels`);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/** The bytes of an image file. */
async function bytesOf(image: Image & { kind: "bytes" | "blob" | "url" }, signal: AbortSignal): Promise<ArrayBuffer> {
  if (image.kind === "bytes") return image.bytes;
  if (image.kind === "url") return fetchImage(image.url, image.shown ?? false, signal);
  try {
    return await image.blob.arrayBuffer();
  } catch (error) {
    throw new ClipError("input", `the file cannot be read (${reason(error)}): it may have been moved; choose it again`, { cause: error });
  }
}

/** Not as a `Blob`: WebKit cannot read one in a sandboxed frame. */
async function fetchImage(url: string, shown: boolean, signal: AbortSignal): Promise<ArrayBuffer> {
  if (url.startsWith("file:")) return readImage(url);
  // What the page shows may be in the cache without CORS headers, where the host gives some if asked again.
  const caches: RequestCache[] = shown ? ["force-cache", "reload"] : ["default"];
  let failed: unknown;
  for (const cache of caches) {
    try {
      const response = await fetch(url, { signal, cache });
      if (!response.ok) throw new ClipError("network", `the image ${url} answered with status ${response.status}`);
      return await response.arrayBuffer();
    } catch (error) {
      signal.throwIfAborted();
      failed = error;
    }
  }
  if (failed instanceof ClipError) throw failed;
  throw new ClipError(
    "network",
    `cannot get the image ${url}: check the address; an image of another origin needs its CORS headers`,
    { cause: failed },
  );
}

/** A file of this machine, in Node. */
async function readImage(url: string): Promise<ArrayBuffer> {
  try {
    return new Uint8Array(await (await fs()).readFile(new URL(url))).buffer;
  } catch (error) {
    throw new ClipError("input", `cannot read ${url} (${reason(error)}): check the path`, { cause: error });
  }
}
