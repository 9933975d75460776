// What may be embedded, as it goes to the worker.

import { ClipError, reason } from "../runtime/errors.js";
import { address } from "../runtime/platform.js";
import type { Image } from "./protocol.js";

/**
 * An image.
 *
 * - Bytes of a file (`Blob`, `ArrayBuffer`, a view of one, `Response`), or where they are (`URL`, or a
 *   string relative to the page; in Node also a path: take none from strangers). The file is decoded as in
 *   the native program, with its bits.
 * - `HTMLImageElement`: its file is fetched, from the browser's cache where it is there. Only where that
 *   cannot be (a policy, a format that only the browser reads) its pixels are taken, if the browser gives them.
 * - Pixels that the browser has decoded: `ImageData`, `ImageBitmap`, a canvas. Then `exact` is false.
 */
export type ImageSource =
  | Blob | ArrayBuffer | ArrayBufferView | Response | URL | string
  | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap | ImageData;

/** How a source is sent. */
export interface Sent {
  image: Image;
  transfer: Transferable[];
  /** What can be sent if this does not do. */
  otherwise?: () => Promise<Sent>;
}

const bad = (message: string, cause?: unknown) => new ClipError("input", message, { cause });

/** `source` for the worker. `give` hands over what can be handed over, instead of a copy. */
export async function sent(source: ImageSource, give: boolean): Promise<Sent> {
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    const { buffer: bytes } = new Uint8Array(buffer, byteOffset, byteLength).slice();
    return { image: { kind: "bytes", bytes }, transfer: [bytes] };
  }
  // By name: what comes from another frame is no instance of this one's classes.
  switch (Object.prototype.toString.call(source).slice(8, -1)) {
    case "Blob":
    case "File":
      return { image: { kind: "blob", blob: source as Blob }, transfer: [] };
    case "ArrayBuffer":
      return { image: { kind: "bytes", bytes: source as ArrayBuffer }, transfer: give ? [source as ArrayBuffer] : [] };
    case "String":
    case "URL":
      return { image: { kind: "url", url: await address(source as string | URL, "give that of an image") }, transfer: [] };
    case "Response":
      return { image: { kind: "blob", blob: await body(source as Response) }, transfer: [] };
    case "ImageData": {
      const { data, width, height } = source as ImageData;
      return { image: { kind: "pixels", data: data as Uint8ClampedArray, width, height }, transfer: [] };
    }
    case "ImageBitmap":
      return give ? handedOver(source as ImageBitmap) : bitmap(source as ImageBitmap);
    case "HTMLCanvasElement":
    case "OffscreenCanvas":
      return bitmap(source as HTMLCanvasElement);
    case "HTMLImageElement": {
      const element = source as HTMLImageElement;
      const url = element.currentSrc || element.src;
      if (url === "") throw bad("the image element has no source");
      // What it shows is in the browser's cache.
      return { image: { kind: "url", url, shown: true }, transfer: [], otherwise: () => bitmap(element) };
    }
  }
  throw bad(
    "embedImage takes a Blob, ArrayBuffer, typed array, Response, address, image element, canvas, ImageBitmap or ImageData",
  );
}

const handedOver = (bitmap: ImageBitmap): Sent => ({ image: { kind: "bitmap", bitmap }, transfer: [bitmap] });

/** A copy of what the browser has decoded. */
async function bitmap(source: HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap): Promise<Sent> {
  try {
    return handedOver(await createImageBitmap(source, { premultiplyAlpha: "none", colorSpaceConversion: "none" }));
  } catch (error) {
    throw bad(`the pixels cannot be had (${reason(error)}): see that it has a size, is loaded, and was not closed`, error);
  }
}

async function body(response: Response): Promise<Blob> {
  const from = response.url || "the response";
  if (response.bodyUsed) throw bad(`the body of ${from} was read before: give a clone of it`);
  if (response.type === "opaque") throw bad(`${from} may not be read: fetch it with CORS`);
  if (!response.ok) throw new ClipError("network", `${from} answered with status ${response.status}`);
  try {
    return await response.blob();
  } catch (error) {
    throw new ClipError("network", `${from} ended early (${reason(error)}): fetch it again`, { cause: error });
  }
}
