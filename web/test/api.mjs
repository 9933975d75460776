// node api.mjs FOLDER [NAME …]
//
// What `Clip` takes and gives beyond vectors: batches, classification, kinds of images, aborts, ends. In
// Node and in Chromium. FOLDER as for cross.mjs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { launchChromium } from "./browsers.mjs";
import { root, web } from "./compare.mjs";
import { report, within } from "./report.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const entry = pathToFileURL(path.join(web, "dist/index.js")).href;
const { Clip, ClipError } = await import(entry);
const corpus = (name) => path.join(root, "tests/corpus", name);
const model = path.join(folder, "packed/second_shape");
const PHOTOS = ["jpeg/photo-420-q75.jpg", "jpeg/grey.jpg", "jpeg/cmyk.jpg"];
const LABELS = ["a cat", "a red dress", "two shoes", "$& {} a bag"];
const mounts = {
  "/dist/": path.join(web, "dist"), "/test/": import.meta.dirname,
  "/models/": path.join(folder, "packed"), "/corpus/": path.join(root, "tests/corpus"),
};
const plain = await serve(mounts, { csp: false });
const strict = await serve(mounts);
const foreign = await serve(mounts, { cors: true });
const closed = await serve(mounts);
const browser = await launchChromium();

/** Of the rejection of a promise. */
const failing = (promise) => promise.then(() => assert.fail("it did not fail"), (error) => error);

async function inPage(server, work, argument) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${server.origin}/test/page.html`);
    await page.waitForFunction(() => document.title === "ready");
    return await page.evaluate(work, argument);
  } finally {
    await context.close();
  }
}

/** Runs a program in Node until it ends by itself: its output. */
async function ends(script, seconds = 20) {
  const child = spawn(process.execPath, [...process.execArgv, "--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece) => (text += piece));
  try {
    const code = await within(seconds, `a program that had said ${JSON.stringify(text)}`, new Promise((resolve) => child.on("exit", resolve)));
    return [code, text];
  } finally {
    child.kill("SIGKILL");
  }
}

const tests = {
  async "a batch of images keeps its order, and a failure has its index"() {
    const clip = await Clip.load({ model, towers: "vision" });
    const sources = PHOTOS.map(corpus);
    const one = [];
    for (const source of sources) one.push(await clip.embedImage(source));
    const all = await clip.embedImages([sources[0], pathToFileURL(sources[1]), new Blob([await readFile(sources[2])])]);
    assert.deepEqual(all.map(({ values }) => [...values]), one.map(({ values }) => [...values]));
    assert.ok(all.every(({ exact }) => exact));
    const bad = [sources[0], new Uint8Array([1, 2, 3]), sources[1]];
    const error = await failing(clip.embedImages(bad));
    assert.deepEqual([error instanceof ClipError, error.kind, error.index], [true, "image.not_an_image", 1]);
    assert.match(error.message, /^image 1: /);
    const settled = await clip.embedImages(bad, { settled: true });
    assert.deepEqual(settled.map(({ status, reason }) => reason?.index ?? status), ["fulfilled", 1, "fulfilled"]);
    assert.deepEqual([...settled[2].value.values], [...one[1].values]);
    assert.deepEqual(await clip.embedImages([]), []);
    assert.equal((await failing(clip.embedImages("photo.jpg"))).kind, "input");
    const signal = AbortSignal.abort();
    assert.equal((await failing(clip.embedImages(sources, { settled: true, signal }))).name, "AbortError");
    assert.equal((await failing(clip.embedImage(corpus("none.jpg")))).kind, "input");
    clip.dispose();
  },
  async "classify is softmax over the model's logits, under the template"() {
    const clip = await Clip.load({ model });
    const photo = corpus(PHOTOS[0]);
    assert.ok(clip.info.logitScale > 1);
    for (const template of [undefined, "{} in a shop window"]) {
      const found = await clip.classify(photo, LABELS, template === undefined ? {} : { template });
      const [before, after] = (template ?? "This is a photo of {}.").split("{}");
      const texts = await clip.embedTexts(LABELS.map((label) => before + label + after));
      const { normalized } = await clip.embedImage(photo);
      const powers = texts.map((text) => Math.exp(clip.info.logitScale * text.normalized.reduce((s, x, i) => s + x * normalized[i], 0)));
      const sum = powers.reduce((a, b) => a + b);
      const expected = LABELS.map((label, i) => ({ label, score: powers[i] / sum })).sort((a, b) => b.score - a.score);
      assert.deepEqual(found.map(({ label }) => label), expected.map(({ label }) => label));
      for (const [i, { score }] of found.entries()) assert.ok(Math.abs(score - expected[i].score) < 1e-9, `${score} and ${expected[i].score}`);
      assert.ok(Math.abs(found.reduce((s, { score }) => s + score, 0) - 1) < 1e-12);
    }
    for (const [labels, options] of [[[]], [["a", ""]], ["a cat"], [["a"], { template: "no place" }], [["a"], { template: "{} {}" }]]) {
      assert.equal((await failing(clip.classify(photo, labels, options))).kind, "input");
    }
    clip.dispose();
    const half = await Clip.load({ model, towers: "text" });
    assert.equal((await failing(half.classify(photo, LABELS))).kind, "tower_not_loaded");
    half.dispose();
  },
  async "an abort is an AbortError that keeps the reason"() {
    const clip = await Clip.load({ model, towers: "text" });
    const aborted = AbortSignal.abort();
    assert.equal(await failing(clip.embedText("dress", { signal: aborted })), aborted.reason);
    const why = new Error("the visitor went away");
    const early = await failing(Clip.load({ model, signal: AbortSignal.abort(why) }));
    assert.deepEqual([early instanceof DOMException, early.name, early.cause], [true, "AbortError", why]);
    const controller = new AbortController();
    const asked = failing(clip.embedTexts(Array.from({ length: 50 }, (_, i) => `a dress, number ${i}`), { signal: controller.signal }));
    controller.abort(why);
    const late = await asked;
    assert.deepEqual([late.name, late.cause], ["AbortError", why]);
    const timeout = await failing(Clip.load({ model, signal: AbortSignal.timeout(1) }));
    assert.deepEqual([timeout.name, timeout.cause?.name], ["AbortError", "TimeoutError"]);
    clip.dispose();
  },
  async "unknown choices are refused before anything is loaded"() {
    for (const [option, value] of [["towers", "image"], ["towers", ["text"]], ["tokens", "some"], ["kernel", "gpu"], ["precision", "fast"]]) {
      const error = await failing(Clip.load({ model, [option]: value }));
      assert.equal(error.kind, "input");
      assert.ok(error.message.includes(`\`${option}\` ${JSON.stringify(value)}`) && error.message.includes('give "'), error.message);
    }
    assert.equal((await failing(Clip.load())).kind, "input");
  },
  async "baseUrl says where the package's files lie, and a wrong one is an error that says so"() {
    const dist = path.join(web, "dist");
    for (const baseUrl of [dist, pathToFileURL(dist)]) (await Clip.load({ model, towers: "text", baseUrl })).dispose();
    const absent = await failing(Clip.load({ model, baseUrl: import.meta.dirname }));
    assert.deepEqual([absent.kind, absent.message.includes("test/worker.js")], ["environment", true]);
    const page = await inPage(plain, async () => {
      const load = (baseUrl) => Clip.load({ model: "/models/second_shape/", towers: "text", baseUrl });
      const { configure } = await import("/dist/index.js");
      const kinds = [];
      const attempt = (promise) => promise.then((clip) => (clip.dispose(), kinds.push("fine")), (error) => kinds.push(error.kind));
      await attempt(load("/dist/"));
      await attempt(load("/none/"));
      configure({ baseUrl: "/none" });
      await attempt(load());
      // What is configured later counts for a call that has begun: <clip-search> starts by itself.
      const begun = load();
      configure({ baseUrl: "/dist" });
      await attempt(begun);
      return kinds;
    });
    assert.deepEqual(page, ["fine", "environment", "environment", "fine"]);
  },
  async "await using gives the worker back"() {
    const clip = await Clip.load({ model, towers: "text" });
    await clip[Symbol.asyncDispose]();
    assert.equal((await failing(clip.embedText("dress"))).kind, "disposed");
    const other = await Clip.load({ model, towers: "text" });
    assert.equal(other[Symbol.dispose](), undefined);
    assert.equal((await failing(other.embedText("dress"))).kind, "disposed");
  },
  async "Node ends with a model that was not disposed of, on any number of threads"() {
    for (const threads of [1, 2, 3, 8]) {
      const load = JSON.stringify({ model, threads, cache: false });
      const [code, text] = await ends(`
        import { Clip } from ${JSON.stringify(entry)};
        const clip = await Clip.load(${load});
        await clip.embedText("a dress");
        await clip.embedImage(${JSON.stringify(corpus(PHOTOS[0]))});
        console.log(clip.info.threads);
      `);
      assert.deepEqual([code, text.trim()], [0, String(threads)]);
    }
  },
  async "Node does not wait for what is fetched in the background"() {
    plain.reset();
    const manifest = JSON.parse(await readFile(path.join(model, "manifest.json"), "utf8"));
    const load = JSON.stringify({ model: `${plain.origin}/models/second_shape/`, towers: "text", cache: false });
    // The first query's blocks come, the rest does not.
    const program = ends(`
      import { Clip } from ${JSON.stringify(entry)};
      const clip = await Clip.load(${load});
      await clip.embedText("a dress");
      console.log("embedded");
    `);
    const tokens = () => plain.log.filter((r) => r.url.includes(manifest.parts.tokens.file)).length;
    let running = true;
    program.finally(() => (running = false)).catch(() => undefined);
    while (running && tokens() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    plain.faults.pause = 60_000;
    assert.deepEqual(await program, [0, "embedded\n"]);
    plain.reset();
  },
  async "kinds of images in a page, and which of them are exact"() {
    const seen = await inPage(plain, async ({ photo, foreign, closed }) => {
      const clip = await Clip.load({ model: "/models/second_shape/", towers: "vision" });
      const file = `/corpus/${photo}`;
      const blob = await (await fetch(file)).blob();
      const reference = (await clip.embedImage(blob)).normalized;
      const image = async (src, cors) => {
        const element = Object.assign(new Image(), cors === undefined ? {} : { crossOrigin: cors });
        element.src = src;
        await element.decode().catch(() => undefined);
        return element;
      };
      const bitmap = await createImageBitmap(blob);
      const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      const offscreen = new OffscreenCanvas(bitmap.width, bitmap.height);
      offscreen.getContext("2d").drawImage(bitmap, 0, 0);
      const frame = document.body.appendChild(document.createElement("iframe"));
      const elsewhere = Object.assign(frame.contentDocument.createElement("canvas"), { width: 40, height: 30 });
      elsewhere.getContext("2d").fillRect(0, 0, 20, 20);
      const tainted = Object.assign(document.createElement("canvas"), { width: 40, height: 30 });
      tainted.getContext("2d").drawImage(await image(`${closed}${file}`), 0, 0);
      const read = await fetch(file);
      await read.text();
      const sources = {
        blob, bytes: await blob.arrayBuffer(), url: new URL(file, location.href), text: file, response: await fetch(file),
        "an image element": await image(file), "one of a blob": await image(URL.createObjectURL(blob)),
        bitmap, canvas, offscreen, pixels: offscreen.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height),
        "of another frame": elsewhere,
        "an AVIF element": await image("/test/picture.avif"),
        "of another origin": await image(`${foreign}${file}`, "anonymous"),
        "of a closed origin": await image(`${closed}${file}`),
        "an element without source": new Image(), "a canvas without size": Object.assign(document.createElement("canvas"), { width: 0 }),
        "a tainted canvas": tainted, "a response that failed": await fetch("/corpus/none.jpg"), "one that was read": read,
        "a number": 7, nothing: undefined,
      };
      const seen = {};
      for (const [name, source] of Object.entries(sources)) {
        seen[name] = await clip.embedImage(source).then(({ normalized, exact }) => {
          const cosine = normalized.reduce((sum, x, i) => sum + x * reference[i], 0);
          if (exact) return normalized.every((x, i) => x === reference[i]) ? "exact" : "exact, it says";
          return cosine > 0.9 ? "near" : "other";
        }, (error) => (error instanceof ClipError ? error.kind : String(error)));
      }
      seen["the bitmap is still there"] = bitmap.width > 0;
      await clip.embedImage(bitmap, { transfer: true });
      seen["until it is handed over"] = bitmap.width > 0;
      clip.dispose();
      return seen;
    }, { photo: PHOTOS[0], foreign: foreign.origin, closed: closed.origin });
    assert.deepEqual(seen, {
      blob: "exact", bytes: "exact", url: "exact", text: "exact", response: "exact",
      "an image element": "exact", "one of a blob": "exact",
      bitmap: "near", canvas: "near", offscreen: "near", pixels: "near",
      "of another frame": "other", "an AVIF element": "exact, it says",
      "of another origin": "exact", "of a closed origin": "network",
      "an element without source": "input", "a canvas without size": "input", "a tainted canvas": "input",
      "a response that failed": "network", "one that was read": "input", "a number": "input", nothing: "input",
      "the bitmap is still there": true, "until it is handed over": false,
    });
  },
  async "an image element whose file may not be fetched gives its pixels"() {
    // This page's policy shows blobs, and lets none be fetched.
    const exact = await inPage(strict, async (photo) => {
      const clip = await Clip.load({ model: "/models/second_shape/", towers: "vision" });
      const image = new Image();
      image.src = URL.createObjectURL(await (await fetch(`/corpus/${photo}`)).blob());
      await image.decode();
      const { exact } = await clip.embedImage(image);
      clip.dispose();
      return exact;
    }, PHOTOS[0]);
    assert.equal(exact, false);
  },
};

await report(tests, only, async () => {
  await browser.close();
  for (const server of [plain, strict, foreign, closed]) server.close();
});
