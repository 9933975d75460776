// node bench.mjs FOLDER [--rounds N] [--only text|vision]
//
// Side by side in Chromium: this package, onnxruntime-web and transformers.js (both wasm, f32) on
// the same synthetic ViT-B/32, each in a page of its own, taking turns. FOLDER is target/web, with
// the ONNX files of export.py in FOLDER/onnx.

import { readdirSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { launchChromium } from "../test/browsers.mjs";
import { root, web } from "../test/compare.mjs";
import { lastBrowser, memory, renderers } from "../test/memory.mjs";
import { serve } from "../test/server.mjs";

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, only: { type: "string" } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
/** A load takes seconds, and a fresh browser. */
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

async function open(peer, tower, threads) {
  const browser = await launchChromium();
  const pid = lastBrowser();
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`${peer}: ${error}`));
  await page.goto(`${server.origin}/bench/page.html`);
  await page.waitForFunction(() => document.title === "ready");
  const empty = new Map(renderers(pid).map((r) => [r.pid, r.peak]));
  const load = await page.evaluate((a) => window.start(...a), [peer, tower, threads]);
  return {
    peer,
    load,
    once: (kind) => page.evaluate((k) => window.once(k), kind),
    peak: () => {
      const largest = memory(pid);
      return { peak: largest.peak, over: largest.peak - (empty.get(largest.pid) ?? 0) };
    },
    close: () => browser.close(),
  };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const rows = [];

async function compare(tower, threads, peers, kinds) {
  if (values.only && values.only !== tower) return;
  const loads = peers.map(() => []);
  for (let round = 1; threads === 1 && round < LOADS; round += 1) {
    for (const [i, peer] of peers.entries()) {
      const page = await open(peer, tower, threads);
      loads[i].push(page.load / 1000);
      await page.close();
    }
  }
  const pages = [];
  for (const peer of peers) pages.push(await open(peer, tower, threads));
  pages.forEach((page, i) => loads[i].push(page.load / 1000));
  const note = `${threads} thread${threads > 1 ? "s" : ""}`;
  for (const [kind, name] of kinds) {
    const times = pages.map(() => []);
    for (let round = -2; round < rounds; round += 1) {
      for (const [i, page] of pages.entries()) {
        // Threads of a runtime may spin for a while after their work.
        await pause(300);
        const ms = await page.once(kind);
        if (round >= 0 && ms !== undefined) times[i].push(ms);
      }
    }
    rows.push({ name: `${name}, ${note}, ms`, cells: pages.map((p, i) => [p.peer, times[i]]) });
  }
  if (threads === 1) {
    rows.push({ name: `load of the ${tower} tower to ready, s`, cells: pages.map((p, i) => [p.peer, loads[i]]) });
    const peaks = pages.map((page) => [page.peer, page.peak()]);
    rows.push({ name: `peak memory, ${tower}, MB`, cells: peaks.map(([peer, { peak }]) => [peer, [peak]]) });
    rows.push({ name: "of it over the empty page", cells: peaks.map(([peer, { over }]) => [peer, [over]]) });
  }
  for (const page of pages) await page.close();
}

const peers = ["ours", "onnxruntime-web", "transformers.js"];
await compare("text", 1, [...peers, "onnxruntime-web int8"], [["text", "text query of 7 tokens"]]);
await compare("vision", 1, peers, [["tower", "image tower"], ["image", "image query, file to vector"]]);
await compare("vision", 2, peers, [["tower", "image tower"], ["image", "image query, file to vector"]]);
server.close();

const columns = [...peers, "onnxruntime-web int8"];
console.log(`\nMedian/minimum of ${rounds} rounds, ${LOADS} for loads (and multiple of our median), synthetic ViT-B/32\n`);
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
