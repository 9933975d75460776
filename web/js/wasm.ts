// Calls into a wasm module of web/src: bytes in, bytes out.

import { ClipError, type Failure, reason } from "./errors.js";
import { fs } from "./platform.js";

type Call = (...args: number[]) => number;

export interface Exports {
  memory?: WebAssembly.Memory;
  input(length: number): number;
  output(): number;
  room?(): number;
  room_size?(): number;
  thread_room?(length: number): number;
  run_thread?(): void;
  __stack_pointer?: WebAssembly.Global;
  __wasm_init_tls?(address: number): void;
  __tls_size?: WebAssembly.Global;
}

/** An instance, and bytes in and out of it. */
export class Wasm {
  private constructor(
    readonly exports: Exports,
    readonly memory: WebAssembly.Memory,
  ) {}

  static async instantiate(module: WebAssembly.Module, shared?: WebAssembly.Memory): Promise<Wasm> {
    const instance = await WebAssembly.instantiate(module, shared ? { env: { memory: shared } } : {});
    const exports = instance.exports as unknown as Exports;
    return new Wasm(exports, shared ?? exports.memory!);
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

  /** As `call`, for answers in JSON. */
  json<T>(name: string, input?: Uint8Array | string, ...args: number[]): T {
    return JSON.parse(new TextDecoder().decode(this.call(name, input, ...args))) as T;
  }

  /** Puts bytes of weights where they are needed. */
  load(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0; ) {
      const address = this.exports.room!() >>> 0;
      const now = rest.subarray(0, this.exports.room_size!());
      if (address !== 0) new Uint8Array(this.memory.buffer, address, now.length).set(now);
      this.call("filled", undefined, now.length);
      rest = rest.subarray(now.length);
    }
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
}

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
