// node sizes.mjs FOLDER
//
// What a page downloads, compressed as hosts do it, against the limits that were promised.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync } from "node:zlib";

import { web } from "./compare.mjs";

const dist = path.join(web, "dist");
const brotli = async (name) => brotliCompressSync(await readFile(path.join(dist, name))).length;

/** These scripts and all that they import. */
async function scripts(...names) {
  const found = new Set(names);
  for (const name of found) {
    const text = await readFile(path.join(dist, name), "utf8");
    for (const [, other] of text.matchAll(/\b(?:from|import)\s*"\.\/([\w-]+\.js)"/g)) found.add(other);
  }
  return found;
}

const manifest = path.join(path.resolve(process.argv[2]), "packed/vit_b_32/manifest.json");
const { parts } = JSON.parse(await readFile(manifest, "utf8"));

const engines = ["engine-relaxed", "engine-fallback", "engine-relaxed-threads", "engine-fallback-threads"];
const engine = Math.max(...await Promise.all(engines.map((name) => brotli(`${name}.wasm`))));
const images = await brotli("images.wasm");
const formats = await brotli("formats.wasm");
const sum = (sizes) => sizes.reduce((a, b) => a + b, 0);
const client = await scripts("index.js", "worker.js");
const script = sum(await Promise.all([...client].map(brotli)));
const element = [...await scripts("search.js", "catalogue-worker.js")].filter((name) => !client.has(name));
const search = sum(await Promise.all(element.map(brotli)));
const json = brotliCompressSync(await readFile(manifest)).length;
// Each token of a query of 7 may lie in a block of its own.
const query = engine + script + json + parts.text.size + 7 * parts.tokens.chunk;

const kB = 1000;
const rows = [
  ["wasm that a text query needs, brotli", engine, 350 * kB],
  ["wasm with the decoders of JPEG, PNG, WebP, GIF, BMP, brotli", engine + images, 600 * kB],
  ["wasm that the first AVIF, TIFF or other adds, brotli", formats, 700 * kB],
  ["JavaScript, brotli", script, 25 * kB],
  ["JavaScript that <clip-search> adds, brotli", search, 30 * kB],
  ["wasm that <clip-search> adds, brotli", await brotli("search.wasm"), 90 * kB],
  ["ViT-B/32: text query, all that is downloaded", query, 80 * kB * kB],
  ["ViT-B/32: vision tower", parts.vision.size, 176 * kB * kB],
];
let failed = 0;
for (const [what, size, limit] of rows) {
  const over = size > limit;
  if (over) failed += 1;
  const show = (n) => (n >= 10 * kB * kB ? `${(n / kB / kB).toFixed(1)} MB` : `${(n / kB).toFixed(1)} kB`);
  console.log(`${over ? "OVER" : "ok  "}  ${what.padEnd(46)} ${show(size).padStart(9)}  (limit ${show(limit)})`);
}
console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${rows.length - failed} passed; ${failed} failed; 0 ignored`);
process.exit(failed === 0 ? 0 : 1);
