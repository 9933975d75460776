// The wasm modules: which one this engine can run, and calls into it.

import { ClipError, type Failure, reason } from "./errors.js";
import { type WorkerPort, fs, isNode } from "./platform.js";

type Call = (...args: number[]) => number;

interface Exports {
  memory?: WebAssembly.Memory;
  input(length: number): number;
  output(): number;
  thread_room?(length: number): number;
  run_thread?(): void;
  __stack_pointer?: WebAssembly.Global;
  __wasm_init_tls?(address: number): void;
  __tls_size?: WebAssembly.Global;
}

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

/** An instance, and bytes in and out of it. */
export class Wasm {
  private constructor(
    private readonly exports: Exports,
    private readonly memory: WebAssembly.Memory,
  ) {}

  static async images(): Promise<Wasm> {
    return Wasm.instantiate(await compile(FILES.images()));
  }

  /** @internal */
  static async instantiate(module: WebAssembly.Module, shared?: WebAssembly.Memory): Promise<Wasm> {
    const instance = await WebAssembly.instantiate(module, shared ? { env: { memory: shared } } : {});
    const exports = instance.exports as unknown as Exports;
    return new Wasm(exports, shared ?? exports.memory!);
  }

  /** Bytes of its memory, weights included. */
  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** Runs an export on `input`; gives a copy of its answer. */
  call(name: string, input: Uint8Array | string | undefined, ...args: number[]): Uint8Array<ArrayBuffer> {
    try {
      if (input !== undefined) this.write(input);
      const length = (this.exports as unknown as Record<string, Call>)[name]!(...args);
      const bytes = this.read(length < 0 ? ~length : length);
      if (length >= 0) return bytes;
      const { kind, message } = JSON.parse(new TextDecoder().decode(bytes)) as Failure;
      throw new ClipError(kind, message);
    } catch (error) {
      if (error instanceof ClipError) throw error;
      throw new ClipError(
        "engine",
        `the computation crashed in ${name} (${reason(error)}; ${this.lastWords()}). Load the model ` +
          "again; if it happens again, it is a defect of this library: please report the input",
        { cause: error },
      );
    }
  }

  /** As [`call`], for answers in JSON. */
  json<T>(name: string, input?: Uint8Array | string, ...args: number[]): T {
    return JSON.parse(new TextDecoder().decode(this.call(name, input, ...args))) as T;
  }

  private write(input: Uint8Array | string): void {
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    const address = this.exports.input(bytes.length) >>> 0;
    if (address === 0) {
      throw new ClipError("memory", `there is no memory for an input of ${bytes.length} bytes`);
    }
    new Uint8Array(this.memory.buffer, address, bytes.length).set(bytes);
  }

  private read(length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer, this.exports.output() >>> 0, length).slice();
  }

  /** What a panic left behind. */
  private lastWords(): string {
    try {
      return new TextDecoder().decode(this.read(300)).split("\0")[0] ?? "";
    } catch {
      return "no message";
    }
  }

  /** Fills a pool of `count` threads, this one included. */
  async startThreads(count: number, module: WebAssembly.Module, spawn: () => Promise<WorkerPort>): Promise<void> {
    const { thread_room, __tls_size } = this.exports;
    if (!thread_room || !__tls_size) throw new Error("not a module with threads");
    const ready: Promise<void>[] = [];
    for (let i = 1; i < count; i += 1) {
      const worker = await spawn();
      worker.keepAlive(false);
      const room = thread_room(THREAD_STACK + (__tls_size.value as number) + 64) >>> 0;
      if (room === 0) throw new ClipError("memory", "there is no memory for threads");
      ready.push(new Promise((resolve, reject) => {
        worker.onMessage(() => resolve());
        worker.onError((why) => reject(new Error(why)));
      }));
      // The stack grows down from where the thread-local variables begin.
      worker.post({ op: "thread", module, memory: this.memory, tls: room + THREAD_STACK });
    }
    await Promise.all(ready);
    this.call("start_threads", undefined, count);
  }
}

/** A pool thread's life: never returns. `ready` is called when it can be counted on. */
export function runThread(
  { module, memory, tls }: { module: WebAssembly.Module; memory: WebAssembly.Memory; tls: number },
  ready: () => void,
): void {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const exports = instance.exports as unknown as Exports;
  exports.__stack_pointer!.value = tls;
  exports.__wasm_init_tls!(Math.ceil(tls / 64) * 64);
  ready();
  exports.run_thread!();
}

/** What was chosen for this engine. */
export interface Engine {
  wasm: Wasm;
  /** Kernel path: `wasm-relaxed`, or `wasm-emulated` (the same bits, slower). */
  kernel: string;
  threads: number;
}

/**
 * The fastest module that this engine runs: relaxed SIMD where it is known and a probe shows that
 * its multiply-add rounds once; threads where memory can be shared.
 */
export async function startEngine(
  wanted: { threads: number; kernel: "auto" | "fallback"; bytes: number },
  spawn: () => Promise<WorkerPort>,
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
        const engine = await start(fast, threads, wanted.bytes, spawn);
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
  bytes: number,
  spawn: () => Promise<WorkerPort>,
): Promise<Engine> {
  if (threads === 1) {
    const wasm = await Wasm.instantiate(await compile(relaxed ? FILES.relaxed() : FILES.fallback()));
    return { wasm, kernel: kernel(wasm), threads };
  }
  const module = await compile(relaxed ? FILES.relaxedThreads() : FILES.fallbackThreads());
  // Reserves addresses, not memory.
  const maximum = Math.min(65536, Math.ceil((bytes + ROOM) / PAGE));
  const memory = new WebAssembly.Memory({ initial: 64, maximum, shared: true });
  const wasm = await Wasm.instantiate(module, memory);
  const engine = { wasm, kernel: kernel(wasm), threads };
  if (!relaxed || engine.kernel === "wasm-relaxed") await wasm.startThreads(threads, module, spawn);
  return engine;
}

const kernel = (wasm: Wasm) => new TextDecoder().decode(wasm.call("path", undefined));

/** @internal */
export async function compile(url: URL): Promise<WebAssembly.Module> {
  if (url.protocol === "file:") return WebAssembly.compile(await (await fs()).readFile(url));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href} answered with status ${response.status}`);
  // A host that does not know the type of .wasm files cannot stream into the compiler.
  const type = response.headers.get("content-type") ?? "";
  return type.startsWith("application/wasm")
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer());
}
