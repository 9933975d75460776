// node element-first.mjs FOLDER [NAME …]
//
// The first visit to <clip-search>: words first, downloads that can be seen and stopped, connections
// that are spared, a server that embeds until the model is there, and a slow line.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { root, source, web } from "./compare.mjs";
import { report } from "./report.mjs";
import {
  TEXT, answers, bytesOf, close, faults, folder, manifest, native, only, server, shown, visit,
} from "./shop.mjs";

const PHOTO = "tests/corpus/jpeg/photo-420-q75.jpg";
const { Clip } = await import(pathToFileURL(path.join(web, "dist/index.js")));
const clip = await Clip.load({ model: path.join(folder, "packed/second_shape") });
/** Questions to the stand-in for a server that embeds. */
const asked = [];
/** How it answers. */
let manner = "flat";

/** A stand-in for an Inference Endpoint, or `scraper serve`: the vectors that the device computes. */
answers["/embed"] = async (request, body) => {
  asked.push({ type: request.headers["content-type"], cookie: request.headers.cookie, body });
  if (manner === "late") await new Promise((resolve) => setTimeout(resolve, 1500));
  if (manner === "down" || manner === "late") return [503, { error: "no" }];
  if (manner === "odd") return [200, { hello: 1 }];
  const { normalized } = request.headers["content-type"] === "application/json"
    ? await clip.embedText(JSON.parse(body).inputs) : await clip.embedImage(new Uint8Array(body));
  return [200, manner === "nested" ? [[...normalized]] : [...normalized]];
};
const bits = (hits) => shown({ hits });

/** What `navigator.connection` says. */
const connection = (values) => async (page) => page.addInitScript((values) => {
  Object.defineProperty(navigator, "connection", { value: { ...values, addEventListener() {} } });
}, values);

const tests = {
  async "an endpoint answers until the model is there; then nothing changes"() {
    for (manner of ["flat", "nested"]) {
      asked.length = 0;
      await visit(async (page, { event, type, count }) => {
        // The model does not come while this is asked.
        faults.stall = "/models/";
        await type(TEXT);
        const words = await event("results", "words");
        assert.ok(words.hits.length > 0);
        const served = await event("results", "model");
        assert.deepEqual(bits(served.hits), native(TEXT));
        assert.ok(served.hits.every(({ exact }) => !exact), "nobody has checked these");
        assert.deepEqual(asked.map(({ type, cookie, body }) => [type, cookie, JSON.parse(body)]), [["application/json", undefined, { inputs: TEXT }]]);
        faults.stall = undefined;
        await page.waitForFunction(() => document.querySelector("clip-search").shadowRoot.querySelector(".progress") === null);
        // Its bytes are there before it can be asked.
        for (let i = 0, local = false; !local; i++) {
          const after = await count();
          await type(["blue shirt", "red shirt"][i % 2]);
          local = (await event("results", "model", after)).hits.every(({ exact }) => exact);
        }
        const sent = asked.length;
        const again = await count();
        await type(TEXT);
        const local = await event("results", "model", again);
        assert.deepEqual(bits(local.hits), native(TEXT));
        assert.ok(local.hits.every(({ exact }) => exact));
        assert.equal(asked.length, sent, "a query was sent although the model was there");
      }, { attributes: { endpoint: "/embed", mode: "vector" } });
    }
    manner = "flat";
  },
  async "an endpoint embeds a photo; no tower is downloaded for it"() {
    asked.length = 0;
    await visit(async (page, { event, inside }) => {
      faults.stall = "/models/";
      await inside("input[type=file]").first().setInputFiles(path.join(root, PHOTO));
      const { kind, hits } = await event("results", "model");
      assert.equal(kind, "photo");
      assert.deepEqual(bits(hits), native("--image", PHOTO));
      assert.equal(asked[0].type, "image/jpeg");
      assert.deepEqual(asked[0].body, await readFile(path.join(root, PHOTO)));
      assert.equal(bytesOf("vision"), 0);
    }, { attributes: { endpoint: "/embed" } });
  },
  async "an endpoint that fails is passed over in silence, and not asked again at once"() {
    for (manner of ["down", "odd"]) {
      asked.length = 0;
      await visit(async (page, { event, type, inside, count }) => {
        faults.pause = 300;
        await type(TEXT);
        await event("results", "words");
        await type(`${TEXT}es`);
        const after = await count();
        await type(TEXT);
        faults.pause = 0;
        const { hits } = await event("results", "model", after);
        assert.deepEqual(bits(hits), native(TEXT));
        assert.equal(asked.length, 1);
        assert.equal(await page.evaluate(() => window.events.filter(({ name }) => name === "error").length), 0);
        assert.equal(await inside(".error").isVisible(), false);
      }, { attributes: { endpoint: "/embed", mode: "vector" } });
    }
    manner = "flat";
  },
  async "endless paging goes on with words where the endpoint has failed late"() {
    manner = "late";
    try {
      await visit(async (page, { event, type, inside }) => {
        await type("dress");
        const { total } = await event("results", "words");
        assert.ok(total > 3, `${total} products`);
        await inside(".card").nth(3).waitFor({ timeout: 10_000 });
      }, { attributes: { limit: "3", endpoint: "/embed", mode: "hybrid", paging: "endless" }, before: connection({ saveData: true }) });
    } finally {
      manner = "flat";
    }
  },
  async "what an endpoint's answer may be"() {
    const { vectorOf, unit } = await source("element/endpoint.ts");
    assert.deepEqual([...vectorOf([3, 4], 2)], [3, 4]);
    assert.deepEqual([...vectorOf([[3, 4]], 2)], [3, 4]);
    for (const bad of [null, {}, [], [1], [[1]], ["a", "b"], [0, 0], [1, null], [1, 2, 3], [[1, 2], [3, 4]], "12"]) {
      assert.equal(vectorOf(bad, 2), undefined, JSON.stringify(bad));
    }
    const [x, y] = unit(Float32Array.of(3, 4));
    assert.ok(Math.abs(x - 0.6) < 1e-6 && Math.abs(y - 0.8) < 1e-6);
    const one = Float32Array.of(0.6, 0.8);
    assert.equal(unit(one), one);
  },
  async "the model waits for who saves data, or is on a slow line, to ask for it"() {
    for (const values of [{ saveData: true, effectiveType: "4g" }, { effectiveType: "3g" }, { effectiveType: "slow-2g" }, { effectiveType: "4g", downlink: 0.4 }]) {
      await visit(async (page, { event, type, inside, count }) => {
        await type(TEXT);
        await event("results", "words");
        await page.getByText("Only words are searched.").waitFor();
        await page.waitForTimeout(500);
        assert.equal(bytesOf("/models/"), 0);
        const after = await count();
        await page.getByRole("button", { name: "Search by meaning" }).click();
        await event("results", "model", after);
        assert.equal(await inside(".resume").isVisible(), false);
      }, { before: connection(values) });
    }
    await visit(async (page, { event, type }) => {
      await type(TEXT);
      await event("results", "model");
    }, { before: connection({ effectiveType: "4g", downlink: 10 }) });
  },
  async "a focus brings words and filters first, then the model"() {
    await visit(async (page, { inside }) => {
      // A download begins with a manifest; what a page before has asked for may still arrive.
      await page.waitForTimeout(300);
      assert.deepEqual(server.log.map(({ url }) => url).filter((url) => url.endsWith("/manifest.json")), []);
      await inside("input.query").focus();
      await inside("summary").first().waitFor();
      await page.waitForFunction(() => window.events.some(({ name, part }) => name === "progress" && part === "text"));
      const first = (part) => server.log.findIndex(({ url }) => url.includes(part));
      assert.ok(first(manifest.facets.file) < first("/models/second_shape/manifest.json"), "the model came first");
    });
  },
  async "downloads: each has a bar, a size, and a way to stop it"() {
    await visit(async (page, { event, type, inside }) => {
      faults.pause = 400;
      await type(TEXT);
      await event("results", "words");
      const bar = page.getByRole("progressbar", { name: /Search by meaning: [\d.]+ MB of [\d.]+ MB/ });
      await bar.waitFor();
      const sheets = [path.join(root, PHOTO)];
      await inside("input[type=file]").first().setInputFiles(sheets);
      const photo = page.getByRole("progressbar", { name: /Search by photo: / });
      await photo.waitFor();
      assert.equal(await inside(".progress").count(), 2);
      assert.equal(await inside(".skeletons").isVisible() || await inside(".results").isVisible(), true);
      await inside(".progress").filter({ hasText: "by photo:" }).getByRole("button", { name: "Cancel" }).click();
      assert.equal(await inside(".photo").isVisible(), false);
      assert.equal(await inside(".progress").count(), 1);
      await inside(".progress").getByRole("button", { name: "Cancel" }).click();
      assert.equal(await inside(".progress").count(), 0);
    });
  },
  async "400 kbit/s and 150 ms: words within 1 s of the first key, and never without progress"() {
    // The line is simulated, the processor is not: of a machine that others use, the best of three.
    let best = Infinity;
    for (let i = 0; i < 3 && best >= 1000; i += 1) best = Math.min(best, await slowVisit(true));
    assert.ok(best < 1000, `${best} ms`);
  },
  async "400 kbit/s and 150 ms: whoever types at once sees that something comes"() {
    // What a click asks for is 130 kB, 2.6 s of this line.
    let best = Infinity;
    for (let i = 0; i < 3 && best >= 4500; i += 1) best = Math.min(best, await slowVisit(false));
    assert.ok(best < 4500, `${best} ms`);
  },
};

/** A first visit on a slow line, with or without `thought`; milliseconds from the first key to the first product. */
async function slowVisit(thought) {
  let ms;
  await visit(async (page, { event, inside, context }) => {
    faults.gzip = true;
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", {
      offline: false, latency: 150, downloadThroughput: 400_000 / 8, uploadThroughput: 400_000 / 8,
    });
    // Whatever is to be seen, each frame.
    await page.evaluate(() => {
      window.frames_ = [];
      const look = () => {
        const { shadowRoot } = document.querySelector("clip-search");
        const is = (selector) => Array.from(shadowRoot.querySelectorAll(selector)).some((e) => e.checkVisibility({ visibilityProperty: true }));
        window.frames_.push({
          at: performance.now(), query: shadowRoot.querySelector(".query").value, cards: is(".card"), skeletons: is(".skeleton"),
          progress: is(".progress"), filters: is("summary"), status: shadowRoot.querySelector(".status").textContent,
        });
        requestAnimationFrame(look);
      };
      look();
      const input = document.querySelector("clip-search").shadowRoot.querySelector(".query");
      input.addEventListener("input", () => (window.key ??= performance.now()));
      input.addEventListener("focus", () => (window.focused_ ??= performance.now()));
    });
    // As a visitor: a click into the box, a thought, a key.
    await inside("input.query").click();
    if (thought) {
      await inside("summary").first().waitFor({ timeout: 60_000 });
      await page.waitForTimeout(500);
    }
    await inside("input.query").pressSequentially("dress", { delay: 60 });
    await inside(".card").first().waitFor({ timeout: 60_000 });
    const frames = await page.evaluate(() => window.frames_);
    const key = await page.evaluate(() => window.key);
    const seen = frames.find(({ at, cards }) => at >= key && cards);
    console.log(`        words after ${(seen.at - key).toFixed(0)} ms`);
    ms = seen.at - key;
    // Whatever is waited for, something says so: the words after the click, the products after a pause.
    const focused = await page.evaluate(() => window.focused_);
    const words = frames.findIndex(({ at, filters }) => at > focused && filters);
    const blind = [
      ...frames.filter(({ at, progress }, i) => at > focused + 400 && i < words && !progress),
      ...frames.filter(({ at, cards, skeletons }) => at > key + 300 && !cards && !skeletons),
    ];
    assert.deepEqual(blind, []);
  });
  return ms;
}

await report(tests, only, async () => {
  clip.dispose();
  await close();
});
