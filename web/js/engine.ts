// The wasm modules of the model: which one this engine can run.

import { ClipError, reason } from "./errors.js";
import { isNode } from "./platform.js";
import type { Precision } from "./protocol.js";
import type { Spawn } from "./threads.js";
import { Wasm, compile } from "./wasm.js";

// Literal names, so that bundlers find and copy the files.
const FILES = {
  images: () => new URL("./images.wasm", import.meta.url),
  relaxed: () => new URL("./engine-relaxed.wasm", import.meta.url),
  fallback: () => new URL("./engine-fallback.wasm", import.meta.url),
  relaxedThreads: () => new URL("./engine-relaxed-threads.wasm", import.meta.url),
  fallbackThreads: () => new URL("./engine-fallback-threads.wasm", import.meta.url),
};
/** `(module (func (result v128) f32x4.relaxed_madd (…) (…) (…)))` */
const RELAXED_PROBE = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 0x0a, 0x13, 1, 0x11, 0,
  0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x85, 0x02, 0x0b,
]);
/** `(module (func (result v128) i8x16.splat (i32.const 0)))` */
const SIMD_PROBE = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 0x0a, 8, 1, 6, 0,
  0x41, 0, 0xfd, 0x0f, 0x0b,
]);

const PAGE = 65536;
/** What a module needs besides the weights, bytes. */
const ROOM = 256 << 20;
const THREAD_STACK = 1 << 20;

/** Fills a pool of `count` threads, this one included. */
async function startThreads(
  wasm: Wasm,
  count: number,
  module: WebAssembly.Module,
  spawn: Spawn,
): Promise<void> {
  const { thread_room, __tls_size } = wasm.exports;
  if (!thread_room || !__tls_size) throw new Error("not a module with threads");
  const ready: Promise<void>[] = [];
  for (let i = 1; i < count; i += 1) {
    const room = thread_room(THREAD_STACK + (__tls_size.value as number) + 64) >>> 0;
    if (room === 0) throw new ClipError("memory", "there is no memory for threads");
    // The stack grows down from where the thread-local variables begin.
    ready.push(spawn({ module, memory: wasm.memory, tls: room + THREAD_STACK }));
  }
  await Promise.all(ready);
  wasm.call("start_threads", undefined, count);
}

/** The module with the decoders. */
export const startDecoders = async (): Promise<Wasm> => Wasm.instantiate(await compile(FILES.images()));

/** What was chosen for this engine. */
export interface Engine {
  wasm: Wasm;
  /** Kernel path: `wasm-relaxed`, `wasm-emulated` (the same bits, slower), or `wasm-unfused` (other bits). */
  kernel: string;
  threads: number;
}

export interface Wanted {
  threads: number;
  kernel: "auto" | "fallback";
  precision: Precision;
  bytes: Promise<number>;
}

/**
 * The fastest module that this engine runs: relaxed SIMD where it is known and a probe shows that
 * its multiply-add rounds once; threads where memory can be shared. The module for other engines
 * emulates the fused operation, or, where `precision` is `auto`, does without. `bytes` is what the
 * weights may take.
 */
export async function startEngine(
  wanted: Wanted,
  spawn: Spawn,
): Promise<Engine> {
  if (!WebAssembly.validate(SIMD_PROBE)) {
    throw new ClipError("engine", "this browser does not know WebAssembly SIMD: Chrome 91, Firefox 89 and Safari 16.4 do");
  }
  const relaxed = wanted.kernel !== "fallback" && WebAssembly.validate(RELAXED_PROBE);
  const isolated = typeof SharedArrayBuffer !== "undefined" && (isNode || globalThis.crossOriginIsolated);
  const failures: string[] = [];
  for (const threads of wanted.threads > 1 && isolated ? [wanted.threads, 1] : [1]) {
    for (const fast of relaxed ? [true, false] : [false]) {
      try {
        const engine = await start(fast, threads, wanted, spawn);
        if (!fast || engine.kernel === "wasm-relaxed") return engine;
      } catch (error) {
        failures.push(reason(error));
      }
    }
  }
  throw new ClipError(
    "engine",
    `no wasm module could be started (${failures.join("; ")}): see that the .wasm files lie beside ` +
      "this script, and that the Content-Security-Policy has script-src 'wasm-unsafe-eval'",
  );
}

async function start(
  relaxed: boolean,
  threads: number,
  { precision, bytes }: Wanted,
  spawn: Spawn,
): Promise<Engine> {
  if (threads === 1) {
    const wasm = await Wasm.instantiate(await compile(relaxed ? FILES.relaxed() : FILES.fallback()));
    return { wasm, kernel: kernel(wasm, precision), threads };
  }
  const module = await compile(relaxed ? FILES.relaxedThreads() : FILES.fallbackThreads());
  // Reserves addresses, not memory.
  const maximum = Math.min(65536, Math.ceil(((await bytes) + ROOM) / PAGE));
  const memory = new WebAssembly.Memory({ initial: 64, maximum, shared: true });
  const wasm = await Wasm.instantiate(module, memory);
  const engine = { wasm, kernel: kernel(wasm, precision), threads };
  if (!relaxed || engine.kernel === "wasm-relaxed") await startThreads(wasm, threads, module, spawn);
  return engine;
}

const kernel = (wasm: Wasm, precision: Precision) => new TextDecoder().decode(wasm.call("path", precision));
