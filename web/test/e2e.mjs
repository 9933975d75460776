// node e2e.mjs FOLDER [NAME …]
//
// The package in real Chromium, on a host with faults. FOLDER as for cross.mjs.

import assert from "node:assert/strict";
import { cp, readFile, rm } from "node:fs/promises";
import path from "node:path";

import { endChromium, launchChromium } from "./browsers.mjs";
import { expectations, root, web } from "./compare.mjs";
import { memory, processOf } from "./memory.mjs";
import { NoAnswer, report, within } from "./report.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const expected = await expectations(folder);
const TEXT = "red floral dress";
const PICTURE = "jpeg/photo-420-q75.jpg";
const digestOf = (name) => expected.second_shape[name].find(([stage]) => stage === "embedding")[1];
const manifest = JSON.parse(await readFile(path.join(folder, "packed/second_shape/manifest.json"), "utf8"));
const { text: textPart, tokens: tokenPart, vision: visionPart } = manifest.parts;
const mounts = {
  "/dist/": path.join(web, "dist"), "/test/": import.meta.dirname,
  "/models/": path.join(folder, "packed"), "/corpus/": path.join(root, "tests/corpus"),
};

const plain = await serve(mounts);
const isolated = await serve(mounts, { isolated: true });
const browser = await launchChromium();
const bytesOf = (server, part) =>
  server.log.filter((r) => r.url.includes(part)).reduce((sum, r) => sum + r.bytes, 0);

/** A fresh visitor: storage and caches of its own. */
async function visit(server, work) {
  server.reset();
  const context = await browser.newContext();
  const foreign = [];
  context.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(server.origin)) foreign.push(request.url());
  });
  const open = async () => {
    const page = await context.newPage();
    await page.goto(`${server.origin}/test/page.html`);
    await page.waitForFunction(() => document.title === "ready");
    return page;
  };
  try {
    const page = await open();
    await work(page, { context, open });
    assert.deepEqual(await page.evaluate(() => window.violations), [], "violations of the CSP");
    assert.deepEqual(foreign, [], "requests to other origins");
  } finally {
    await context.close();
  }
}

/** Loads in the page, embeds, and gives what a user would see. */
const query = async (page, options = {}) => {
  try {
    return await within(120, "the page", load(page, options));
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    const told = await within(5, "and", page.evaluate(() => JSON.stringify(window.seen))).catch((e) => e.message);
    throw new Error(`${error.message}; it had told ${told}`);
  }
};

const load = (page, options) => page.evaluate(async ({ text, picture, keep, ...load }) => {
  const seen = { progress: [], warnings: [] };
  window.seen = seen;
  try {
    const clip = await Clip.load({
      model: "/models/second_shape/", towers: "text", tokens: "blocks", ...load,
      onProgress: (p) => seen.progress.push(p),
      onWarning: (w) => seen.warnings.push(`${w.kind}: ${w.message}`),
    });
    seen.info = clip.info;
    const sha = async (embedding) => {
      const hash = await crypto.subtle.digest("SHA-256", embedding.values.slice());
      return Array.from(new Uint8Array(hash, 0, 8), (b) => b.toString(16).padStart(2, "0")).join("");
    };
    if (text !== undefined) seen.digest = await sha(await clip.embedText(text));
    if (picture !== undefined) {
      const source = await (await fetch(`/corpus/${picture}`)).blob();
      seen.picture = await sha(await clip.embedImage(source));
    }
    if (keep) window.clip = clip;
    else clip.dispose();
  } catch (error) {
    seen.error = { kind: error.kind, message: error.message };
  }
  return seen;
}, { text: TEXT, ...options });

const tests = {
  async "first load downloads the tower asked for and the blocks of the query"() {
    await visit(plain, async (page) => {
      const seen = await query(page);
      assert.equal(seen.error, undefined);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
      assert.equal(bytesOf(plain, visionPart.file), 0);
      assert.equal(bytesOf(plain, textPart.file), textPart.size);
      assert.ok(bytesOf(plain, tokenPart.file) <= 6 * tokenPart.chunk, "more than the query's blocks");
      const loaded = seen.progress.map((p) => p.loaded);
      assert.deepEqual(loaded, loaded.toSorted((a, b) => a - b));
      assert.ok(seen.progress.some((p) => p.loaded === textPart.size && p.total === textPart.size));
    });
  },
  async "loading takes a tower's f32 size and 64 MB at most"() {
    const { parts } = JSON.parse(await readFile(path.join(folder, "packed/vit_b_32/manifest.json"), "utf8"));
    for (const tower of ["text", "vision"]) {
      const own = await launchChromium();
      const pid = await processOf(own);
      try {
        const page = await own.newPage();
        await page.goto(`${plain.origin}/test/page.html`);
        await page.waitForFunction(() => document.title === "ready");
        const before = memory(pid).now;
        const seen = await query(page, { model: "/models/vit_b_32/", towers: tower, text: undefined, keep: true });
        assert.equal(seen.error, undefined);
        const { peak, now } = memory(pid);
        // The files hold f16.
        const limit = (2 * parts[tower].size) / 1e6 + 64;
        assert.ok(peak - before <= limit, `${tower}: ${peak - before} MB more, and not ${limit}`);
        assert.ok(now - before > parts[tower].size / 1e6, "what was measured is not the page with the model");
      } finally {
        await endChromium(own, pid);
      }
    }
  },
  async "second load works offline"() {
    await visit(plain, async (page, { context }) => {
      assert.equal((await query(page)).error, undefined);
      plain.reset();
      plain.faults.refuse = "/models/";
      await page.reload();
      await page.waitForFunction(() => document.title === "ready");
      await context.setOffline(true);
      const seen = await query(page);
      assert.equal(seen.error, undefined);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
      assert.equal(bytesOf(plain, ".safetensors"), 0);
      assert.equal(seen.progress.at(-1).network, 0);
    });
  },
  async "a cut download is resumed where it was cut"() {
    await visit(plain, async (page) => {
      Object.assign(plain.faults, { cut: 700_000, cuts: 3 });
      const seen = await query(page);
      assert.equal(seen.error, undefined);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
      // The page's own count: what a browser threw away at a cut never reached it.
      const { loaded, network } = seen.progress.at(-1);
      assert.equal(network, loaded, "bytes were read twice");
      const requests = plain.log.filter((r) => r.url.includes(textPart.file));
      assert.ok(requests.length >= 2 && requests.every((r) => r.status === 206), "no second request");
      const starts = requests.map((r) => Number(/^bytes=(\d+)-/.exec(r.range)[1]));
      assert.ok(starts.every((start, i) => i === 0 || start > starts[i - 1]), starts.join());
    });
  },
  async "a host that is gone is an error, and what came is kept"() {
    await visit(plain, async (page) => {
      const load = { towers: "vision", text: undefined, picture: PICTURE };
      Object.assign(plain.faults, { cut: 2_500_000, cuts: 1, then: "/models/" });
      const first = await query(page, load);
      assert.equal(first.error?.kind, "network");
      assert.match(first.error.message, /load again to resume/);
      plain.reset();
      assert.equal((await query(page, load)).picture, digestOf(PICTURE));
      assert.ok(bytesOf(plain, visionPart.file) < visionPart.size, "nothing was kept");
    });
  },
  async "a host that ignores ranges works"() {
    await visit(plain, async (page) => {
      plain.faults.ignoreRange = true;
      const seen = await query(page);
      assert.equal(seen.error, undefined);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
    });
    await visit(plain, async (page) => {
      Object.assign(plain.faults, { ignoreRange: true, cut: 700_000, cuts: 1 });
      assert.equal((await query(page)).digest, digestOf(`text-${TEXT}`));
    });
  },
  async "a corrupted chunk is an error and not used"() {
    await visit(plain, async (page) => {
      plain.faults.corrupt = { file: textPart.file, at: 1000 };
      const seen = await query(page);
      assert.equal(seen.error?.kind, "model.corrupt");
      assert.match(seen.error.message, /scraper model pack/);
      plain.faults.corrupt = undefined;
      assert.equal((await query(page)).digest, digestOf(`text-${TEXT}`));
    });
  },
  async "a chunk that was damaged on the device is fetched again"() {
    await visit(plain, async (page) => {
      assert.equal((await query(page)).error, undefined);
      plain.reset();
      await page.evaluate(async (file) => {
        const top = await (await navigator.storage.getDirectory()).getDirectoryHandle("clip-everywhere");
        for await (const folder of top.values()) {
          const handle = await folder.getFileHandle(file);
          const writable = await handle.createWritable({ keepExistingData: true });
          await writable.write({ type: "write", position: 5000, data: new Uint8Array(10) });
          await writable.close();
        }
      }, textPart.file);
      const seen = await query(page);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
      assert.ok(bytesOf(plain, textPart.file) > 0, "the damaged chunk was used");
    });
  },
  async "a full device: the model works and says that it is not kept"() {
    await visit(plain, async (page, { context }) => {
      const session = await context.newCDPSession(page);
      await session.send("Storage.overrideQuotaForOrigin", { origin: plain.origin, quotaSize: 100_000 });
      const seen = await query(page);
      assert.equal(seen.error, undefined);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
      assert.equal(seen.warnings.length, 1);
      assert.match(seen.warnings[0], /^storage: .*storage is full.*persist/);
    });
  },
  async "without COOP and COEP it runs on one thread"() {
    await visit(plain, async (page) => {
      const seen = await query(page, { threads: 2, towers: "vision", text: undefined, picture: PICTURE });
      assert.equal(seen.error, undefined);
      assert.equal(seen.info.threads, 1);
      assert.equal(seen.picture, digestOf(PICTURE));
    });
  },
  async "with COOP and COEP it runs on two"() {
    await visit(isolated, async (page) => {
      const seen = await query(page, { threads: 2, towers: "both", picture: PICTURE });
      assert.equal(seen.error, undefined);
      assert.equal(seen.info.threads, 2);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
      assert.equal(seen.picture, digestOf(PICTURE));
    });
  },
  async "threads end with their model, and a model with a thread that crashes"() {
    await visit(isolated, async (page) => {
      const workers = async (count) => {
        // Chromium gives a thread that sleeps two seconds to end.
        for (let tries = 0; page.workers().length !== count && tries < 100; tries += 1) await page.waitForTimeout(100);
        assert.equal(page.workers().length, count);
      };
      const clip = await page.evaluateHandle(() => Clip.load({ model: "/models/tiny/", towers: "text", threads: 2 }));
      await workers(2);
      await clip.evaluate((clip) => clip.dispose());
      await workers(0);
      // One that crashes ends the model: the others would wait for it.
      const error = await page.evaluate(async () => {
        const started = [];
        const { Worker } = window;
        window.Worker = class extends Worker {
          constructor(...options) {
            super(...options);
            started.push(this);
          }
        };
        const clip = await Clip.load({ model: "/models/tiny/", towers: "text", threads: 2 });
        window.Worker = Worker;
        started[1].dispatchEvent(new ErrorEvent("error", { message: "unreachable" }));
        return clip.embedText("red").then(() => undefined, ({ kind, message }) => ({ kind, message }));
      });
      assert.equal(error.kind, "engine");
      assert.match(error.message, /unreachable.*again/);
      await workers(0);
    });
  },
  async "a load can be aborted, and the next one resumes"() {
    await visit(plain, async (page) => {
      plain.faults.pause = 100;
      const kind = await page.evaluate(async () => {
        const controller = new AbortController();
        const onProgress = (p) => { if (p.loaded > 2_200_000) controller.abort(); };
        return Clip.load({ model: "/models/second_shape/", towers: "vision", signal: controller.signal, onProgress })
          .then(() => "loaded", (error) => error.name);
      });
      assert.equal(kind, "AbortError");
      plain.reset();
      const seen = await query(page, { towers: "vision", text: undefined, picture: PICTURE });
      assert.equal(seen.picture, digestOf(PICTURE));
      assert.ok(bytesOf(plain, visionPart.file) < visionPart.size, "nothing was kept");
    });
  },
  async "bad input is a typed error, and the model goes on"() {
    await visit(plain, async (page) => {
      const kinds = await page.evaluate(async (picture) => {
        const clip = await Clip.load({ model: "/models/second_shape/", towers: "both", tokens: "blocks" });
        const kind = (promise) => promise.then(() => "fine", (e) => (e instanceof ClipError ? e.kind : e.name));
        const half = (await (await fetch(`/corpus/${picture}`)).arrayBuffer()).slice(0, 900);
        const aborted = AbortSignal.abort();
        const kinds = [
          await kind(clip.embedImage(half)),
          await kind(clip.embedImage(new ArrayBuffer(0))),
          await kind(clip.embedImage(new Blob(["<html>"]))),
          await kind(clip.embedImage("/corpus/none.jpg")),
          await kind(clip.embedImage(7)),
          await kind(clip.embedText(7)),
          await kind(clip.embedText("dress", { signal: aborted })),
          await kind(clip.embedText("\ud800 half a pair")),
          await kind(clip.embedText("")),
          await kind(clip.embedImage(await (await fetch(`/corpus/${picture}`)).arrayBuffer(), { transfer: true })),
        ];
        clip.dispose();
        kinds.push(await kind(clip.embedText("dress")));
        kinds.push(await kind(Clip.load({ model: "/models/none/" })));
        return kinds;
      }, PICTURE);
      assert.deepEqual(kinds, [
        "image.truncated", "image.empty", "image.not_an_image", "network", "input", "input", "AbortError",
        "fine", "fine", "fine", "disposed", "model.not_found",
      ]);
    });
  },
  async "pixels of the browser are not exact, bytes are"() {
    await visit(plain, async (page) => {
      const exact = await page.evaluate(async (picture) => {
        const clip = await Clip.load({ model: "/models/second_shape/", towers: "vision" });
        const blob = await (await fetch(`/corpus/${picture}`)).blob();
        const bitmap = await createImageBitmap(blob);
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        context.drawImage(bitmap, 0, 0);
        const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
        const avif = await (await fetch("/test/picture.avif")).blob();
        const [a, b, c] = [
          await clip.embedImage(blob), await clip.embedImage(pixels), await clip.embedImage(avif),
        ];
        clip.dispose();
        const cosine = a.normalized.reduce((sum, x, i) => sum + x * b.normalized[i], 0);
        return [a.exact, b.exact, c.exact, cosine > 0.9];
      }, PICTURE);
      assert.deepEqual(exact, [true, false, true, true]);
    });
  },
  async "a text of 10,000 characters is cut as in Python"() {
    await visit(plain, async (page) => {
      const text = "a long red dress with flowers ".repeat(334).slice(0, 10_000);
      const seen = await query(page, { text });
      assert.equal(seen.error, undefined);
      assert.equal(seen.digest, digestOf(`text-${text}`));
    });
  },
  async "two tabs download once"() {
    await visit(plain, async (page, { open }) => {
      plain.faults.pause = 20;
      const other = await open();
      const [one, two] = await Promise.all([query(page), query(other)]);
      assert.equal(one.digest, digestOf(`text-${TEXT}`));
      assert.equal(two.digest, digestOf(`text-${TEXT}`));
      assert.equal(bytesOf(plain, textPart.file), textPart.size);
    });
  },
  async "a new manifest replaces the old model"() {
    const live = path.join(folder, "packed/live");
    await rm(live, { recursive: true, force: true });
    await cp(path.join(folder, "packed/second_shape_moved"), live, { recursive: true });
    await visit(plain, async (page) => {
      const load = { model: "/models/live/", towers: "vision", text: undefined, picture: PICTURE };
      const old = await query(page, load);
      await rm(live, { recursive: true });
      await cp(path.join(folder, "packed/second_shape"), live, { recursive: true });
      const fresh = await query(page, load);
      assert.notEqual(old.picture, fresh.picture);
      assert.equal(fresh.picture, digestOf(PICTURE));
      const files = await page.evaluate(async () => {
        const top = await (await navigator.storage.getDirectory()).getDirectoryHandle("clip-everywhere");
        const names = [];
        for await (const folder of top.values()) for await (const name of folder.keys()) names.push(name);
        return names.sort();
      });
      assert.deepEqual(files, ["manifest.json", visionPart.file].sort());
    });
  },
  async "without OPFS the Cache API keeps the weights"() {
    await visit(plain, async (page) => {
      // The worker asks for what the page's Cache has: see that a second load needs no network.
      await page.route("**/dist/worker.js", async (route) => {
        const response = await route.fetch();
        const text = await response.text();
        const body = text.replace(".getDirectory?.()", ".noDirectory?.()");
        assert.notEqual(body, text, "OPFS is still there");
        await route.fulfill({ response, body });
      });
      await page.reload();
      await page.waitForFunction(() => document.title === "ready");
      assert.equal((await query(page)).digest, digestOf(`text-${TEXT}`));
      plain.reset();
      plain.faults.refuse = "/models/";
      const seen = await query(page);
      if (seen.error) assert.fail(seen.error.message);
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
    });
  },
  async "after the first query the rest of the token embedding follows"() {
    await visit(plain, async (page) => {
      const seen = await query(page, { tokens: "fill", keep: true });
      assert.equal(seen.digest, digestOf(`text-${TEXT}`));
      await page.evaluate(() => window.clip.fillTokens());
      assert.ok(bytesOf(plain, tokenPart.file) >= tokenPart.size - tokenPart.start);
      plain.reset();
      await page.evaluate(() => window.clip.embedText("an azure zebra quilt, perchance"));
      assert.equal(bytesOf(plain, ".safetensors"), 0);
      await page.evaluate(() => window.clip.dispose());
    });
  },
};

await report(tests, only, async () => {
  await browser.close();
  plain.close();
  isolated.close();
});
