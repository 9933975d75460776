// node bench.mjs FOLDER [--browser chromium|webkit] [--rounds N] [--only text|vision]
//
// Side by side in one browser: this package, onnxruntime-web and transformers.js (both wasm, f32) on
// the same synthetic ViT-B/32, each in a browser of its own, taking turns. FOLDER is target/web, with
// the ONNX files of export.py in FOLDER/onnx.

import { readdirSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { root, web } from "../test/compare.mjs";
import { memory, watchOwn } from "../test/memory.mjs";
import { serve } from "../test/server.mjs";
import { undriven } from "./undriven.mjs";

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" }, only: { type: "string" }, browser: { type: "string", default: "chromium" },
  },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
/** For what takes a fresh browser and seconds. */
const LOADS = 5;
const folder = path.resolve(positionals[0]);
const modules = path.join(web, "bench/node_modules");
// transformers.js may bring a runtime of its own version.
const own = path.join(modules, "@huggingface/transformers/node_modules/onnxruntime-web");
const runtime = readdirSync(modules).length > 0 && exists(own) ? own : path.join(modules, "onnxruntime-web");

function exists(name) {
  try {
    return readdirSync(name).length > 0;
  } catch {
    return false;
  }
}

const server = await serve(
  {
    "/dist/": path.join(web, "dist"), "/models/": path.join(folder, "packed"), "/onnx/": path.join(folder, "onnx"),
    "/corpus/": path.join(root, "tests/corpus"), "/peers/": modules, "/tf-ort/": runtime,
    "/bench/": import.meta.dirname,
  },
  // What the browser would keep of the models is measured for nobody.
  { isolated: true, csp: false, held: true, caching: "no-store" },
);

/** WebKitGTK: what `precision: "auto"` and `"exact"` take there; memory is measured in Chromium. */
const webkit = values.browser === "webkit";
const browsers = await undriven(values.browser);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function open(peer, tower, threads) {
  const page = await browsers.open(`${server.origin}/bench/page.html`);
  // A browser that has just started has other work to do.
  await pause(1000);
  return { ...page, load: () => page.run("start", peer, tower, threads), once: (kind) => page.run("once", kind) };
}

/** Seconds of a load. */
async function load(peer, tower) {
  const page = await open(peer, tower, 1);
  const ms = await page.load();
  await page.close();
  return ms / 1000;
}

/** Peak of loading and using a model, MB: all that is resident, and what is the page's own. */
async function peaks(peer, tower, kinds) {
  const page = await open(peer, tower, 1);
  const own = watchOwn(page.pid);
  await page.load();
  for (const [kind] of kinds) await page.once(kind);
  const found = { resident: memory(page.pid).peak, own: own() };
  await page.close();
  return found;
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const rows = [];

async function compare(tower, threads, peers, kinds) {
  if (values.only && values.only !== tower) return;
  const row = (name, lists) => rows.push({ name, cells: peers.map((peer, i) => [peer, lists[i]]) });
  const pages = [];
  for (const peer of peers) {
    pages.push(await open(peer, tower, threads));
    await pages.at(-1).load();
  }
  const note = `${threads} thread${threads > 1 ? "s" : ""}`;
  for (const [kind, name] of kinds) {
    const times = pages.map(() => []);
    for (let round = -2; round < rounds; round += 1) {
      for (const [i, page] of pages.entries()) {
        // Threads of a runtime may spin for a while after their work.
        await pause(300);
        const ms = await page.once(kind);
        if (round >= 0 && ms !== null) times[i].push(ms);
      }
    }
    row(`${name}, ${note}, ms`, times);
  }
  for (const page of pages) await page.close();
  if (threads > 1) return;
  /** What `measure` gives for each peer, peers taking turns. */
  const turns = async (measure) => {
    const lists = peers.map(() => []);
    for (let round = 0; round < LOADS; round += 1) {
      for (const [i, peer] of peers.entries()) lists[i].push(await measure(peer));
    }
    return lists;
  };
  row(`load of the ${tower} tower to ready, s`, await turns((peer) => load(peer, tower)));
  if (webkit) return;
  // Not in the same loads: to watch takes time.
  const found = await turns((peer) => peaks(peer, tower, kinds));
  const peak = (of) => found.map((list) => list.map((one) => one[of]));
  row(`peak memory, ${tower}, MB`, peak("own"));
  row(`peak memory, ${tower}, with the browser's program file, MB`, peak("resident"));
}

const peers = ["ours", ...(webkit ? ["ours, exact"] : []), "onnxruntime-web", "transformers.js"];
const columns = [...peers, "onnxruntime-web int8"];
await compare("text", 1, columns, [["text", "text query of 7 tokens"]]);
await compare("vision", 1, peers, [["tower", "image tower"], ["image", "image query, file to vector"]]);
await compare("vision", 2, peers, [["tower", "image tower"], ["image", "image query, file to vector"]]);
server.close();
browsers.close();

console.log(`\n${values.browser}: median/minimum of ${rounds} rounds, ${LOADS} for loads and memory (and multiple of our median), synthetic ViT-B/32\n`);
console.log(`| | ${columns.join(" | ")} |\n|---|${columns.map(() => "---:|").join("")}`);
for (const { name, cells } of rows) {
  const found = new Map(cells.filter(([, times]) => times.length > 0));
  const base = median(found.get("ours"));
  const digits = base < 10 ? 2 : base < 100 ? 1 : 0;
  const cell = (times) => {
    if (!times) return "";
    const both = times.length > 1 ? `/${Math.min(...times).toFixed(digits)}` : "";
    return `${median(times).toFixed(digits)}${both} (${(median(times) / base).toFixed(2)}x)`;
  };
  console.log(`| ${name} | ${columns.map((c) => cell(found.get(c))).join(" | ")} |`);
}
process.exit(0);
