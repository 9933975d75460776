// The wasm modules of the model: which one this engine can run.

import * as plain from "../bindings/engine.js";
import * as threaded from "../bindings/engine-threads.js";
import { ClipError, reason } from "../runtime/errors.js";
import { isNode } from "../runtime/platform.js";
import { compile } from "../runtime/wasm.js";
import type { ModuleFiles } from "./files.js";
import type { Precision } from "./protocol.js";
import type { Spawn } from "./threads.js";

/**
 * `(module (func (export "") (param f32 f32 f32) (result f32) …))`: `f32x4.relaxed_madd` of the three,
 * in all lanes.
 */
const RELAXED_PROBE = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7d, 0x7d, 0x7d, 1, 0x7d, 3, 2, 1, 0, 7, 4, 1, 0, 0, 0,
  0x0a, 0x16, 1, 0x14, 0, 0x20, 0, 0xfd, 0x13, 0x20, 1, 0xfd, 0x13, 0x20, 2, 0xfd, 0x13, 0xfd, 0x85, 0x02,
  0xfd, 0x1f, 0, 0x0b,
]);
/** `(module (func (result v128) i8x16.splat (i32.const 0)))` */
const SIMD_PROBE = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 0x0a, 8, 1, 6, 0,
  0x41, 0, 0xfd, 0x0f, 0x0b,
]);

const PAGE = 65536;
/** What a module needs besides the weights, bytes. */
const ROOM = 256 << 20;

/** What was chosen for this engine. */
export interface Engine {
  /** Classes and functions of the module. */
  bindings: Pick<typeof plain, "Loader" | "kernelPath" | "sha256">;
  memory: WebAssembly.Memory;
  /** Kernel path: `wasm-relaxed`, `wasm-emulated` (the same bits, slower), or `wasm-unfused` (other bits). */
  kernel: string;
  threads: number;
}

/** What decides the choice. */
export interface Wanted {
  files: ModuleFiles;
  threads: number;
  kernel: "auto" | "fallback";
  precision: Precision;
  /** What the weights may take. */
  bytes: Promise<number>;
}

/** Whether relaxed SIMD is known here, and its multiply-add rounds once. */
function fuses(): boolean {
  if (!WebAssembly.validate(RELAXED_PROBE)) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(RELAXED_PROBE));
  const madd = exports[""] as (a: number, b: number, c: number) => number;
  const ulp = 2 ** -23;
  // The product is 1 - 2^-46, which rounds to 1.
  return madd(1 + ulp, 1 - ulp, -1) !== 0;
}

/**
 * The fastest module that this engine runs: relaxed SIMD where its multiply-add rounds once; threads
 * where memory can be shared. The module for other engines emulates the fused operation, or, where
 * `precision` is `auto`, does without.
 */
export async function startEngine(wanted: Wanted, spawn: Spawn): Promise<Engine> {
  if (!WebAssembly.validate(SIMD_PROBE)) {
    throw new ClipError("engine", "this browser does not know WebAssembly SIMD: Chrome 91, Firefox 89 and Safari 16.4 do");
  }
  const isolated = typeof SharedArrayBuffer !== "undefined" && (isNode || globalThis.crossOriginIsolated);
  const failures: string[] = [];
  for (const start of wanted.threads > 1 && isolated ? [startThreaded, startPlain] : [startPlain]) {
    try {
      return await start(wanted, spawn);
    } catch (error) {
      failures.push(reason(error));
    }
  }
  throw new ClipError(
    "engine",
    `no wasm module could be started (${failures.join("; ")}): see that ${wanted.files.fallback} and ` +
      "those beside it can be fetched (connect-src), and that the Content-Security-Policy has script-src 'wasm-unsafe-eval'",
  );
}

async function startPlain({ files, kernel, precision }: Wanted): Promise<Engine> {
  const module = await compileFor(kernel, files.relaxed, files.fallback);
  const { memory } = plain.initSync({ module });
  plain.throwPanics();
  return { bindings: plain, memory, kernel: plain.kernelPath(precision), threads: 1 };
}

async function startThreaded(wanted: Wanted, spawn: Spawn): Promise<Engine> {
  const { files, threads, kernel, precision, bytes } = wanted;
  const module = await compileFor(kernel, files.relaxedThreads, files.fallbackThreads);
  // Reserves addresses, not memory.
  const maximum = Math.min(65536, Math.ceil(((await bytes) + ROOM) / PAGE));
  const memory = new WebAssembly.Memory({ initial: 64, maximum, shared: true });
  threaded.initSync({ module, memory });
  threaded.throwPanics();
  await Promise.all(Array.from({ length: threads - 1 }, () => spawn({ module, memory })));
  threaded.startThreads(threads);
  return { bindings: threaded, memory, kernel: threaded.kernelPath(precision), threads };
}

/** The module with relaxed SIMD, if that is of use and can be had; else the other. */
async function compileFor(kernel: Wanted["kernel"], relaxed: string, fallback: string): Promise<WebAssembly.Module> {
  if (kernel === "fallback" || !fuses()) return compile(fallback);
  return compile(relaxed).catch(() => compile(fallback));
}
