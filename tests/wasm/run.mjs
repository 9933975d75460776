// node [--experimental-wasm-relaxed-simd] run.mjs MODULE.wasm [--full] [--path=NAME]
//
// Runs the cross-target checks in this engine: pixel values of the whole corpus under every
// preset, token ids, and the bits of every stage of two small models on every kernel path.
// --full adds the full-size model on the fastest path; --path says which path that must be.

import { readFile } from "node:fs/promises";
import path from "node:path";

const [file, ...flags] = process.argv.slice(2);
const tests = path.resolve(import.meta.dirname, "..");
const { instance } = await WebAssembly.instantiate(await readFile(file), {});
const wasm = instance.exports;

/** The text that a check answered with `length` bytes. */
function text(length) {
  const bytes = new Uint8Array(wasm.memory.buffer, wasm.output() >>> 0, length);
  return new TextDecoder().decode(bytes);
}

function put(bytes) {
  const address = wasm.input(bytes.length) >>> 0;
  new Uint8Array(wasm.memory.buffer, address, bytes.length).set(bytes);
}

let failed = 0;
let checked = 0;

function expect(what, got, expected) {
  checked += 1;
  if (got !== expected) {
    failed += 1;
    console.error(`${what}: ${got}, expected ${expected || "nothing"}`);
  }
}

const start = performance.now();
const done = (what) => console.log(`${what}, ${((performance.now() - start) / 1000).toFixed(1)} s`);

const goldens = JSON.parse(await readFile(path.join(tests, "goldens/images.json")));
// AVIF is in a module of its own, which web/test/cross.mjs asks.
const here = ([name]) => !name.endsWith(".avif");
for (const [name, digests] of Object.entries(goldens.files).filter(here)) {
  const bytes = await readFile(path.join(tests, "corpus", name));
  for (const [preset, digest] of digests.entries()) {
    if (digest === null) continue;
    put(bytes);
    expect(`${goldens.presets[preset]} ${name}`, text(wasm.pixel_values(preset)), digest);
  }
}
for (const [name, kind] of Object.entries(goldens.errors).filter(here)) {
  put(await readFile(path.join(tests, "corpus", name)));
  expect(name, text(wasm.pixel_values(0)), `error ${kind}`);
}
done(`${checked} pixel digests and errors`);

expect("tokens", text(wasm.wrong_tokens()), "");
done("token ids");

const paths = text(wasm.paths()).split(" ");
for (const [index, name] of paths.entries()) {
  expect(`second shape on ${name}`, text(wasm.wrong_bits(0, index)), "");
  done(`second shape on ${name}`);
  expect(`tiny on ${name}`, text(wasm.wrong_bits(2, index)), "");
  done(`tiny on ${name}`);
}
if (flags.includes("--full")) {
  expect(`ViT-B/32 on ${paths.at(-1)}`, text(wasm.wrong_bits(1, paths.length - 1)), "");
  done(`ViT-B/32 on ${paths.at(-1)}`);
}
const want = flags.find((flag) => flag.startsWith("--path="))?.slice("--path=".length);
if (want) expect("fastest path", paths.at(-1), want);

// In the words of Rust's harness, so that one program counts both.
const result = failed === 0 ? "ok" : "FAILED";
console.log(`test result: ${result}. ${checked - failed} passed; ${failed} failed; 0 ignored`);
process.exit(failed === 0 ? 0 : 1);
