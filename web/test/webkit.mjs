// node webkit.mjs FOLDER [NAME …]
//
// The package and <clip-search> in WebKitGTK, which has neither relaxed SIMD nor OPFS (as Safari has no
// relaxed SIMD): what is fast there and what is exact, downloads, keeping, threads. FOLDER as for search.mjs.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { expectations, root, web } from "./compare.mjs";
import { report } from "./report.mjs";
import { serve } from "./server.mjs";
import { ENTER, launchWebKit } from "./webdriver.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const expected = await expectations(folder);
const found = JSON.parse(await readFile(path.join(folder, "shop.json"), "utf8"));
const manifest = JSON.parse(await readFile(path.join(folder, "packed/second_shape/manifest.json"), "utf8"));
const TEXT = "red floral dress";
const PICTURE = "jpeg/photo-420-q75.jpg";
const digestOf = (name) => expected.second_shape[name].find(([stage]) => stage === "embedding")[1];
const mounts = {
  "/dist/": path.join(web, "dist"), "/test/": import.meta.dirname, "/models/": path.join(folder, "packed"),
  "/corpus/": path.join(root, "tests/corpus"), "/shop/": path.join(folder, "shop"),
};
const plain = await serve(mounts);
const isolated = await serve(mounts, { isolated: true });
const browser = await launchWebKit();
const bytesOf = (part) => plain.log.filter((r) => r.url.includes(part)).reduce((sum, r) => sum + r.bytes, 0);

/** A fresh visitor. */
async function visit(server, address, work) {
  server.reset();
  const page = await browser.open(`${server.origin}${address}`);
  try {
    await work(page);
    assert.deepEqual(await page.run(() => window.violations), [], "violations of the CSP");
  } finally {
    await page.close();
  }
}

/** Loads in the page, embeds, and gives what a user would see. */
const query = (page, options = {}) => page.run(async ({ text, picture, ...load }) => {
  const { info, provenance, embeddings } = await (async () => {
    const clip = await Clip.load({ model: "/models/second_shape/", towers: "text", tokens: "blocks", ...load });
    const embeddings = [];
    if (text) embeddings.push(await clip.embedText(text));
    if (picture) embeddings.push(await clip.embedImage(await (await fetch(`/corpus/${picture}`)).blob()));
    const { info, provenance } = clip;
    clip.dispose();
    return { info, provenance, embeddings };
  })();
  const seen = [];
  for (const { values, normalized, exact } of embeddings) {
    const hash = await crypto.subtle.digest("SHA-256", values.slice());
    const digest = Array.from(new Uint8Array(hash, 0, 8), (b) => b.toString(16).padStart(2, "0")).join("");
    seen.push({ digest, exact, normalized: [...normalized] });
  }
  return { info, provenance, seen };
}, { text: TEXT, ...options });

/** Waits for the next results of the model. */
const results = (page) => page.run(async () => {
  for (;;) {
    const found = window.events.find((e) => e.name === "results" && e.by === "model");
    const failed = window.events.find((e) => e.name === "error");
    if (failed) throw new Error(failed.error.message);
    if (found) return { kind: found.kind, hits: found.hits.map(({ id, image, score, exact }) => ({ id, image, score, exact })) };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
const input = () => document.querySelector("clip-search").shadowRoot.querySelector("input.query");
const native = (...query) => found.find((e) => JSON.stringify(e.query) === JSON.stringify(query)).hits;
const bits = ({ id, image, score }) => [id, image, new Uint32Array(Float32Array.of(score).buffer)[0]];

const tests = {
  async "exact by default; auto is near it and says so"() {
    await visit(plain, "/test/page.html", async (page) => {
      const load = { towers: "both", picture: PICTURE };
      const exact = await query(page, load);
      assert.deepEqual([exact.info.kernel, exact.info.exact, exact.provenance.device], ["wasm-emulated", true, "exact"]);
      assert.deepEqual(exact.seen.map((one) => [one.digest, one.exact]), [[digestOf(`text-${TEXT}`), true], [digestOf(PICTURE), true]]);
      const auto = await query(page, { ...load, precision: "auto" });
      assert.deepEqual([auto.info.kernel, auto.info.exact, auto.provenance.device], ["wasm-unfused", false, "unfused"]);
      for (const [i, one] of auto.seen.entries()) {
        assert.equal(one.exact, false);
        assert.notEqual(one.digest, exact.seen[i].digest);
        const difference = Math.max(...one.normalized.map((x, j) => Math.abs(x - exact.seen[i].normalized[j])));
        assert.ok(difference <= 1e-5, `${difference}`);
      }
      await assert.rejects(query(page, { precision: "fast" }), /give "exact" or "auto"/);
    });
  },
  async "a cut download is resumed; a second load needs no network"() {
    await visit(plain, "/test/page.html", async (page) => {
      Object.assign(plain.faults, { cut: 700_000, cuts: 2 });
      // A driven WebKitGTK keeps nothing, and forgets a Cache that nobody holds.
      await page.run(async () => void (window.held = await caches.open("clip-everywhere")));
      assert.equal((await query(page)).seen[0].digest, digestOf(`text-${TEXT}`));
      assert.ok(plain.log.filter((r) => r.url.includes(manifest.parts.text.file)).length >= 2, "it was not cut");
      plain.reset();
      plain.faults.refuse = "/models/";
      assert.equal((await query(page)).seen[0].digest, digestOf(`text-${TEXT}`));
      assert.equal(bytesOf(".safetensors"), 0);
    });
  },
  async "with COOP and COEP it runs on two threads, exact or not"() {
    await visit(isolated, "/test/page.html", async (page) => {
      const load = { towers: "vision", text: undefined, picture: PICTURE, threads: 2 };
      const exact = await query(page, load);
      assert.deepEqual([exact.info.threads, exact.seen[0].digest], [2, digestOf(PICTURE)]);
      const one = await query(page, { ...load, threads: 1, precision: "auto" });
      const two = await query(page, { ...load, precision: "auto" });
      assert.deepEqual([one.info.threads, two.info.threads, two.info.kernel], [1, 2, "wasm-unfused"]);
      assert.equal(one.seen[0].digest, two.seen[0].digest, "threads change a bit");
    });
  },
  async "<clip-search>: what is typed finds the products of `scraper search`, said not to be exact"() {
    await visit(plain, "/test/search.html?mode=vector&limit=12", async (page) => {
      await page.type(input, TEXT + ENTER);
      const { kind, hits } = await results(page);
      assert.equal(kind, "text");
      const known = native(TEXT);
      assert.deepEqual(hits.map(({ id }) => id), known.map(({ id }) => id));
      for (const [i, hit] of hits.entries()) {
        assert.ok(Math.abs(hit.score - known[i].score) < 1e-4, `${hit.score}, natively ${known[i].score}`);
        assert.equal(hit.exact, false);
      }
      assert.equal(await page.run(() => document.querySelector("clip-search").shadowRoot.querySelectorAll(".card").length), 12);
    });
  },
  async "<clip-search precision=exact>: its bits, for words and for a photo"() {
    await visit(plain, "/test/search.html?mode=vector&limit=12&precision=exact", async (page) => {
      await page.type(input, TEXT + ENTER);
      const { hits } = await results(page);
      assert.deepEqual(hits.map(bits), native(TEXT).map(bits));
      assert.ok(hits.every(({ exact }) => exact));
    });
    await visit(plain, "/test/search.html?mode=vector&limit=12&precision=exact", async (page) => {
      await page.run(async (picture) => {
        document.querySelector("clip-search").searchPhoto(await (await fetch(`/corpus/${picture}`)).blob());
      }, PICTURE);
      const { kind, hits } = await results(page);
      assert.equal(kind, "photo");
      assert.deepEqual(hits.map(bits), native("--image", `tests/corpus/${PICTURE}`).map(bits));
    });
  },
};

await report(tests, only, async () => {
  browser.close();
  plain.close();
  isolated.close();
});
