// node [--experimental-wasm-relaxed-simd] cross.mjs FOLDER [node|chromium|firefox|webkit …]
//
// The same bits everywhere: traces the corpus in Node, Chromium, Firefox and WebKitGTK, with relaxed SIMD
// and without, on 1 and 2 threads, and compares every stage with the native program's. Then, under
// `precision: "auto"` and without relaxed SIMD, how far from these the vectors are. FOLDER is
// target/web: models (made by web_fixtures) and packed (made by `scraper model pack`).

import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { openPage } from "./browsers.mjs";
import { differences, expectations, root, web } from "./compare.mjs";
import { digests, vectors } from "./digests.mjs";
import { NoAnswer, within } from "./report.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...wanted] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const engines = wanted.length > 0 ? wanted : ["node", "chromium", "firefox", "webkit"];
const expected = await expectations(folder);
/** For one model on one kernel; a slow machine takes half a minute, and WebKitGTK, which emulates, more. */
const LIMIT_S = 900;
const isPicture = (name) => !name.startsWith("text-");
const names = (of) => Object.keys(of);

/** What `precision: "auto"` may differ by, as documented. */
const DIFFERENCE = 1e-5;

/** Everything where it is fast; where the fused operation is emulated, what the minutes allow. */
function inputs(all, model) {
  if (all) return names(expected[model]);
  const few = names(model === "second_shape" ? expected.parity : expected[model]);
  const pictures = few.filter(isPicture).slice(0, model === "vit_b_32" ? 1 : 6);
  const texts = names(expected[model]).filter((name) => !isPicture(name));
  return [...pictures, ...texts.slice(0, model === "vit_b_32" ? 2 : 100)];
}

const options = (packed, kernel, threads, list) => ({
  model: packed, kernel, threads,
  pictures: list.filter(isPicture),
  texts: list.filter((name) => !isPicture(name)).map((name) => name.slice("text-".length)),
});

/** Kernels, threads, and whether that is fast enough for everything: WebKitGTK has no relaxed SIMD. */
const runs = (name) => (name === "webkit"
  ? [["auto", 1, true], ["auto", 2, false]]
  : [["auto", 1, true], ["auto", 2, true], ["fallback", 1, false], ["fallback", 2, false]]);
const MODELS = ["second_shape", "vit_b_32", "tiny"];

const nodeRead = async (file) => Uint8Array.from(await readFile(path.join(root, "tests/corpus", file)));
const nodeClip = async () => (await import(pathToFileURL(path.join(web, "dist/index.js")))).Clip;

async function openEngine(name) {
  if (name === "node") {
    const Clip = await nodeClip();
    const local = (o) => ({ ...o, model: path.join(folder, "packed", o.model) });
    return {
      version: `Node ${process.versions.node}`,
      run: (o) => digests(Clip, local(o), nodeRead),
      vectors: (o) => vectors(Clip, local(o), nodeRead),
      close: async () => undefined,
    };
  }
  const server = await serve(
    { "/dist/": path.join(web, "dist"), "/test/": import.meta.dirname,
      "/models/": path.join(folder, "packed"), "/corpus/": path.join(root, "tests/corpus") },
    { isolated: true },
  );
  const page = await openPage(name, `${server.origin}/test/page.html`);
  const ask = async (work, o) => {
    const what = `${page.version}, ${o.kernel} kernel, ${o.threads} threads, ${o.model}`;
    try {
      return await within(LIMIT_S, what, page.run(work, { ...o, model: `/models/${o.model}/` }));
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const at = await within(10, "the page", page.run(() => window.at)).catch((e) => e.message);
      throw new Error(`${error.message}; it was at: ${at}`);
    }
  };
  return {
    version: page.version,
    run: (o) => ask((o) => window.digests(o), o),
    vectors: (o) => ask((o) => window.vectors(o), o),
    close: async () => {
      await page.close();
      server.close();
    },
  };
}

const problems = [];
let checked = 0;

/** Exact vectors of every input, computed here by the package whose digests are compared as well. */
const exact = new Map();
function exactVectors(model) {
  const compute = async () => {
    const o = options(path.join(folder, "packed", model), "auto", 1, inputs(true, model));
    return (await vectors(await nodeClip(), { ...o, precision: "exact" }, nodeRead)).got;
  };
  // Engines run beside each other: the second to ask waits for the first one's.
  if (!exact.has(model)) exact.set(model, compute());
  return exact.get(model);
}

/** The largest difference between components of two sets of vectors; lines about what is no vector. */
function distance(known, got) {
  let most = 0;
  const lines = [];
  for (const [name, vector] of Object.entries(got)) {
    if (typeof vector === "string" || typeof known[name] === "string") {
      // What this package's decoders do not read, some browsers do.
      if (vector !== known[name] && known[name] !== "error image.unsupported") lines.push(`${name}: ${vector}, expected ${known[name]}`);
    } else {
      const [from, to] = [known[name], vector];
      const difference = from.reduce((max, x, i) => Math.max(max, Math.abs(x - to[i])), from.length === to.length ? 0 : Infinity);
      // Written so that NaN is found.
      if (!(difference <= DIFFERENCE)) lines.push(`${name}: differs by ${difference}, more than ${DIFFERENCE}`);
      most = Math.max(most, difference);
    }
  }
  return { most, lines };
}

const seconds = (start) => ((performance.now() - start) / 1000).toFixed(0);

/** `precision: "auto"` in an engine that does not fuse; a row of the table. */
async function unfused(engine, name) {
  const start = performance.now();
  const cells = [];
  for (const model of MODELS) {
    // The same bits in every engine, hence few where it is not the engine's own way.
    const list = inputs(name === "webkit", model);
    const o = options(model, name === "webkit" ? "auto" : "fallback", 1, list);
    const { info, got, inexact } = await engine.vectors({ ...o, precision: "auto" });
    const { most, lines } = distance(await exactVectors(model), got);
    const embedded = Object.values(got).filter((vector) => typeof vector !== "string").length;
    if (info.kernel !== "wasm-unfused" || info.exact) lines.push(`ran on ${info.kernel}, exact: ${info.exact}`);
    if (inexact < embedded) lines.push(`${embedded - inexact} of ${embedded} vectors do not say that they are not exact`);
    if (most === 0) lines.push("no difference at all: it is another kernel that ran");
    problems.push(...lines.map((line) => `${engine.version}, precision auto, ${model}: ${line}`));
    checked += embedded;
    cells.push(lines.length === 0 ? `${embedded} within ${most.toExponential(1)}` : `${lines.length} WRONG`);
  }
  return [engine.version, "wasm-unfused", "1", ...cells, seconds(start)];
}

/** All runs of one engine; its rows of the table. */
async function check(name) {
  const rows = [];
  const add = (row) => {
    rows.push(row);
    console.log(row.join(" | "));
  };
  const engine = await openEngine(name);
  try {
    for (const [kernel, threads, all] of runs(name)) {
      const start = performance.now();
      const cells = [];
      let ran = kernel;
      for (const model of MODELS) {
        const list = inputs(all && (name !== "webkit" || model !== "vit_b_32"), model);
        const { info, got, warnings } = await engine.run(options(model, kernel, threads, list));
        ran = info.kernel;
        const where = `${engine.version}, ${info.kernel}, ${info.threads} threads, ${model}`;
        const lines = differences(expected[model], got);
        if (info.threads !== threads) lines.push(`ran on ${info.threads} threads, not ${threads}`);
        if (kernel === "fallback" && info.kernel !== "wasm-emulated") lines.push("ran on another kernel");
        lines.push(...warnings);
        problems.push(...lines.map((line) => `${where}: ${line}`));
        const total = names(got).length;
        checked += total;
        cells.push(lines.length === 0 ? `${total} of ${total} equal` : `${lines.length} DIFFER`);
      }
      add([engine.version, ran, String(threads), ...cells, seconds(start)]);
    }
    add(await unfused(engine, name));
    // The test of the test: one weight of vision layer 2 is another by one ulp.
    const few = names(expected.parity).filter((n) => isPicture(n)).slice(0, 2);
    const { got } = await engine.run(options("second_shape_moved", "auto", 1, [...few, "text-red floral dress"]));
    const lines = differences(expected.second_shape, got);
    const found = lines.length === few.length && lines.every((line) => line.endsWith("first differs at block.2"));
    checked += 1;
    if (!found) problems.push(`${engine.version}: a change of one ulp was not found: ${lines.join("; ") || "no difference"}`);
    else console.log(`${engine.version}: a weight moved by one ulp is found (${lines[0]})`);
  } finally {
    await engine.close();
  }
  return rows;
}

async function inTurn(names) {
  const rows = [];
  for (const name of names) rows.push(...(await check(name)));
  return rows;
}

// WebKitGTK, which emulates, takes as long as the others together.
const slow = (name) => name === "webkit";
// Both end before an error ends this: their browsers are closed.
const lanes = await Promise.allSettled([inTurn(engines.filter((name) => !slow(name))), inTurn(engines.filter(slow))]);
const failed = lanes.find((lane) => lane.status === "rejected");
if (failed) throw failed.reason;
const table = [
  ["engine", "kernel", "threads", "second shape", "ViT-B/32", "tiny", "seconds"],
  ...Object.entries(expected.native ?? {}).map(([name, lines]) => ["native", name, "any", lines, "", "", ""]),
  ...lanes.flatMap((lane) => lane.value),
];
const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
console.log(`\n${table.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ")).join("\n")}\n`);
problems.slice(0, 40).forEach((line) => console.error(line));
console.log(`test result: ${problems.length === 0 ? "ok" : "FAILED"}. ${Math.max(0, checked - problems.length)} passed; ${problems.length} failed; 0 ignored`);
process.exit(problems.length === 0 ? 0 : 1);
