// The inspector's worker: decodes and prepares a picture step by step, and gives the pictures.

import type { Facts, InspectRequest, Prepared, Tokens } from "./inspect-protocol.js";
import { parent } from "./platform.js";
import type { Stage } from "./protocol.js";
import { serve } from "./rpc.js";
import { Wasm, compile } from "./wasm.js";

/** Pictures are shown no larger than this; the crop is never larger. */
const SHOWN = 1024;

let wasm: Promise<Wasm> | undefined;

async function start(configuration: string): Promise<void> {
  wasm = compile(new URL("./inspect.wasm", import.meta.url)).then((module) => Wasm.instantiate(module));
  (await wasm).call("configure", configuration);
}

async function picture(inspect: Wasm, request: InspectRequest & { op: "bytes" | "pixels" }): Promise<Prepared> {
  const started = performance.now();
  let facts: Facts | undefined;
  if (request.op === "bytes") {
    facts = inspect.json<Facts>("decode", new Uint8Array(request.bytes));
  } else {
    const { data, width, height } = request;
    inspect.call("take_rgba", new Uint8Array(data.buffer, data.byteOffset, data.length), width, height);
  }
  const decoded = performance.now();
  const { stages } = inspect.json<{ stages: Stage[] }>("prepare");
  const prepared = performance.now();
  const pictures = [];
  for (const index of [0, 1, 2]) {
    const [height = 1, width = 1] = stages[index]?.shape ?? [];
    const rgba = inspect.call("rgba", undefined, index);
    const pixels = new ImageData(new Uint8ClampedArray(rgba.buffer), width, height);
    const scale = Math.min(1, SHOWN / Math.max(width, height));
    const size = { resizeWidth: Math.max(1, Math.round(width * scale)), resizeHeight: Math.max(1, Math.round(height * scale)) };
    pictures.push(await createImageBitmap(pixels, scale < 1 ? { ...size, resizeQuality: "high" } : {}));
  }
  return { facts, stages, pictures, ms: { decode: decoded - started, prepare: prepared - decoded } };
}

async function run(request: InspectRequest): Promise<[unknown, Transferable[]]> {
  if (request.op === "start") return [await start(request.configuration), []];
  const inspect = await wasm;
  if (!inspect) throw new Error("the inspector was not started");
  if (request.op === "tokens") return [inspect.json<Tokens>("tokens", request.text, request.max), []];
  const prepared = await picture(inspect, request);
  return [prepared, prepared.pictures];
}

void parent().then((port) => {
  // One after the other: the module keeps the picture that was decoded last.
  let last: Promise<unknown> = Promise.resolve();
  serve<InspectRequest>(port, (request) => {
    const answer = last.then(() => run(request));
    last = answer.catch(() => undefined);
    return answer;
  });
});
