// The inspector's worker: decodes and prepares an image step by step, and gives what is between.

import { Inspector, initSync, throwPanics, tokens } from "../bindings/inspect.js";
import { parent } from "../runtime/platform.js";
import { serve } from "../runtime/rpc.js";
import { compile } from "../runtime/wasm.js";
import type { Facts, InspectRequest, Prepared } from "./protocol.js";

/** Images are shown no larger than this; the crop is never larger. */
const SHOWN = 1024;

let started: Inspector | undefined;

async function image(inspector: Inspector, request: InspectRequest & { op: "bytes" | "pixels" }): Promise<Prepared> {
  const start = performance.now();
  let facts: Facts | undefined;
  if (request.op === "bytes") {
    facts = inspector.decode(new Uint8Array(request.bytes));
  } else {
    const { data, width, height } = request;
    inspector.takeRgba(width, height, new Uint8Array(data.buffer, data.byteOffset, data.length));
  }
  const decoded = performance.now();
  const stages = inspector.prepare();
  const prepared = performance.now();
  const images = [];
  for (const index of [0, 1, 2]) {
    const [height = 1, width = 1] = stages[index]?.shape ?? [];
    const pixels = new ImageData(inspector.rgba(index), width, height);
    const scale = Math.min(1, SHOWN / Math.max(width, height));
    const size = { resizeWidth: Math.max(1, Math.round(width * scale)), resizeHeight: Math.max(1, Math.round(height * scale)) };
    images.push(await createImageBitmap(pixels, scale < 1 ? { ...size, resizeQuality: "high" } : {}));
  }
  return { facts, stages, images, ms: { decode: decoded - start, prepare: prepared - decoded } };
}

async function run(request: InspectRequest): Promise<[unknown, Transferable[]?]> {
  if (request.op === "start") {
    initSync({ module: await compile(request.wasm) });
    throwPanics();
    started = new Inspector(request.preprocessor, request.imageSize, request.profile);
    return [undefined];
  }
  if (!started) throw new Error("the inspector was not started");
  if (request.op === "tokens") return [tokens(request.text, request.max)];
  const prepared = await image(started, request);
  return [prepared, prepared.images];
}

void parent().then((port) => {
  // One after the other: the inspector keeps the image that was decoded last.
  let last: Promise<unknown> = Promise.resolve();
  serve<InspectRequest>(port, (request) => {
    const answer = last.then(() => run(request));
    last = answer.catch(() => undefined);
    return answer;
  });
});
