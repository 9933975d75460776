// The wasm modules: their classes and functions are in `../bindings`, which wasm-bindgen writes.

import { fs } from "./platform.js";

/** Compiles the wasm module at `url`, while it arrives where the platform can do that. */
export async function compile(url: string): Promise<WebAssembly.Module> {
  if (url.startsWith("file:")) return WebAssembly.compile(await (await fs()).readFile(new URL(url)));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered with status ${response.status}`);
  // A host that does not know the type of .wasm files cannot stream into the compiler.
  const type = response.headers.get("content-type") ?? "";
  return type.startsWith("application/wasm")
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer());
}
