// node search.mjs FOLDER [NAME …]
//
// <clip-search> in real Chromium, on the sample shop, against what `scraper search` finds in it.
// FOLDER is target/web: packed models, the exported shop, and shop.json.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { root, web } from "./compare.mjs";
import { report } from "./report.mjs";
import { serve } from "./server.mjs";
import {
  TEXT, accessible, browser, bytesOf, close, expected, faults, folder, manifest, native, only, server, settled, shown,
  violations, visit,
} from "./shop.mjs";

const tests = {
  async "text: words at once, then the ids and bits of `scraper search`"() {
    await visit(async (page, { event, type, inside, count }) => {
      faults.pause = 150;
      await type(TEXT);
      const first = await event("results");
      assert.equal(first.by, "words");
      assert.match(await inside(".status").textContent(), /with these words/);
      assert.ok(first.hits.length > 0 && first.hits.every(({ score }) => score === undefined));
      const { kind, query, ms, ...results } = await event("results", "model");
      assert.deepEqual([kind, query, ms > 0], ["text", TEXT, true]);
      assert.deepEqual(shown(results), native(TEXT));
      // Relaxed SIMD fuses here: `precision="auto"` costs no bit.
      assert.ok(results.hits.every(({ exact }) => exact) && first.hits.every(({ exact }) => !exact));
      assert.equal(await inside(".status").textContent(), `${results.total} products`);
      assert.equal(await inside(".progress").isVisible(), false);
      const progress = await page.evaluate(() => window.events.filter((e) => e.name === "progress"));
      assert.ok(progress.length > 1 && progress.every((p) => ["catalogue", "vectors", "text"].includes(p.part) && p.loaded <= p.total));
      faults.pause = 0;
      for (const { query: [other, ...filter] } of expected.filter((e) => e.query[0] !== "--image")) {
        if (filter.length > 0) continue;
        const after = await count();
        await type(other);
        assert.deepEqual(shown(await event("results", "model", after)), native(other), other);
      }
      const titles = await inside(".title").allTextContents();
      assert.equal(titles.length, 12);
    });
  },
  async "filters: the hits of `scraper search --filter`"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type(TEXT);
      await event("results", "model");
      const category = inside("details").first();
      await category.locator("summary").click();
      const facet = await category.locator("label").allTextContents();
      assert.ok(facet.some((text) => /^Clothing > Dresses\d+$/.test(text)), facet.join());
      let after = await count();
      await category.getByLabel("Clothing > Dresses").check();
      await event("results", "model", after);
      after = await count();
      await inside("summary").filter({ hasText: "Price" }).click();
      await inside("input[type=number]").last().fill("120");
      await inside("input[type=number]").last().press("Tab");
      const filtered = await event("results", "model", after);
      assert.deepEqual(shown(filtered), native(TEXT, "--filter", "category=Clothing > Dresses", "--filter", "price<=120"));
    });
  },
  async "photo: chosen, dropped and pasted, with the ids and bits of `scraper search --image`"() {
    await visit(async (page, { event, inside, count }) => {
      const files = ["target/web/shop/query.jpg", "tests/corpus/jpeg/photo-420-q75.jpg"];
      for (const file of files) {
        const after = await count();
        const [chooser] = await Promise.all([
          page.waitForEvent("filechooser"),
          page.getByRole("button", { name: "Search by photo" }).click(),
        ]);
        await chooser.setFiles(path.join(root, file));
        const results = await event("results", "model", after);
        assert.equal(results.kind, "photo");
        assert.deepEqual(shown(results), native("--image", file), file);
      }
      assert.equal(await inside(".photo img").evaluate(async (img) => (await img.decode(), img.naturalWidth > 0)), true);
      const bytes = [...await readFile(path.join(root, files[1]))];
      for (const kind of ["drop", "paste"]) {
        await page.getByRole("button", { name: "Remove the photo" }).click();
        assert.equal(await inside(".card").count(), 0);
        const after = await count();
        await page.evaluate(([name, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "photo.jpg", { type: "image/jpeg" }));
          const options = { bubbles: true, composed: true, cancelable: true };
          const event = name === "drop"
            ? new DragEvent(name, { ...options, dataTransfer: data })
            : new ClipboardEvent(name, { ...options, clipboardData: data });
          document.querySelector("clip-search").dispatchEvent(event);
        }, [kind, bytes]);
        assert.deepEqual(shown(await event("results", "model", after)), native("--image", files[1]), kind);
      }
      // What is no picture is said, and the search goes on.
      const after = await count();
      await inside("input[type=file]").first().setInputFiles({ name: "a.jpg", mimeType: "image/jpeg", buffer: Buffer.from("<html>") });
      assert.equal((await event("error", undefined, after)).error.kind, "image.not_an_image");
      assert.match(await page.getByRole("alert").textContent(), /cannot be read/);
    });
  },
  async "offline: a reload searches with what is kept"() {
    await visit(async (page, { event, type, context }) => {
      await type(TEXT);
      await event("results", "model");
      const vectors = manifest.exact.bytes - manifest.data;
      while (bytesOf(manifest.exact.file) < vectors) await page.waitForTimeout(50);
      await settled(page);
      await page.reload();
      await page.waitForFunction(() => document.title === "ready");
      server.reset();
      faults.refuse = "/";
      await context.setOffline(true);
      await type(TEXT);
      assert.deepEqual(shown(await event("results", "model")), native(TEXT));
      assert.equal(server.log.filter(({ status }) => status > 0).length, 0);
    });
  },
  async "keyboard only"() {
    await visit(async (page, { event, inside, count }) => {
      const focused = () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.className);
      await page.keyboard.press("Tab");
      assert.equal(await focused(), "query");
      const outline = await inside("input.query").evaluate((e) => getComputedStyle(e).outlineStyle);
      assert.notEqual(outline, "none", "focus cannot be seen");
      await page.keyboard.type(TEXT);
      await page.keyboard.press("Enter");
      // Where typing takes long, there may be results for the beginning of the text before.
      const whole = (text) => window.events.find((e) => e.name === "results" && e.by === "model" && e.query === text);
      const { hits } = await (await page.waitForFunction(whole, TEXT, { timeout: 60_000 })).jsonValue();
      await page.keyboard.press("ArrowDown");
      assert.equal(await focused(), "card");
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("End");
      await page.keyboard.press("Home");
      await page.keyboard.press("ArrowRight");
      const after = await count();
      await page.keyboard.press("Enter");
      const { hit, position } = await event("select", undefined, after);
      assert.deepEqual([hit.id, position], [hits[1].id, 1]);
      await page.keyboard.press("ArrowUp");
      assert.equal(await focused(), "query");
      // All that can be used is on the way of the Tab key, in the order of the page.
      const order = [];
      for (let i = 0; i < 14; i += 1) {
        await page.keyboard.press("Tab");
        order.push(await focused());
      }
      assert.deepEqual(order.slice(0, 2), ["submit", "icon"]);
      assert.ok(order.includes("card"), order.join());
      // Emptied again.
      await inside("input.query").focus();
      await page.keyboard.press("Escape");
      await page.waitForFunction(() => document.querySelector("clip-search").shadowRoot.querySelector(".results").hidden);
    });
  },
  async "axe: empty, matched by words, results, error; light and dark"() {
    await visit(async (page, { event, type, inside }) => {
      await accessible(page, "empty");
      faults.pause = 1500;
      await type(TEXT);
      await event("results", "words");
      await inside(".progress").waitFor();
      await accessible(page, "words");
      faults.pause = 0;
      await event("results", "model");
      await accessible(page, "results");
      await inside("input[type=file]").first().setInputFiles(path.join(root, "tests/corpus/jpeg/photo-420-q75.jpg"));
      await page.waitForFunction(() => window.events.some((e) => e.kind === "photo"));
      await accessible(page, "photo");
    });
    await visit(async (page, { event, type }) => {
      await type(TEXT);
      await event("error");
      await accessible(page, "error");
    }, { attributes: { index: "/shop/none/" } });
  },
  async "phone: nothing is cut off, and the camera is offered"() {
    const context = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
    await visit(async (page, { event, inside }) => {
      await inside("input.query").tap();
      await inside("input.query").fill(TEXT);
      await inside(".form .submit").tap();
      await event("results", "model");
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide`);
      const camera = page.getByRole("button", { name: "Take a photo" });
      assert.equal(await camera.isVisible(), true);
      assert.equal(await inside("input[capture]").getAttribute("accept"), "image/*");
      const { width, height } = await camera.boundingBox();
      assert.ok(Math.min(width, height) >= 44, `${width}x${height}`);
      assert.deepEqual(await violations(page), []);
    }, { context, attributes: { limit: "100" } });
  },
  async "titles of strangers are text"() {
    await visit(async (page, { event, type, inside }) => {
      await type(TEXT);
      const { hits } = await event("results", "model");
      assert.equal(hits.length, manifest.products);
      const card = (id) => inside(".card").nth(hits.findIndex((hit) => hit.id === id));
      const html = hits.find(({ id }) => id === "X-html").card.title;
      assert.match(html, /^<img src=x onerror=/);
      assert.equal(await card("X-html").locator(".title").textContent(), html);
      // An address that is no http(s) is none.
      assert.equal(await card("X-html").evaluate((e) => e.localName), "button");
      await card("X-html").click();
      assert.equal((await event("select")).hit.id, "X-html");
      assert.equal(await card("X-rtl").getAttribute("href"), "https://elsewhere.example/dress");
      assert.equal(await card("X-rtl").locator(".title").evaluate((e) => getComputedStyle(e).direction), "rtl");
      assert.equal(await card("X-rtl").locator(".availability").textContent(), "Out of stock");
      const long = await card("X-long").locator(".title").evaluate((e) => [e.clientHeight / parseFloat(getComputedStyle(e).lineHeight), e.textContent.length]);
      assert.ok(long[0] < 2.1 && long[1] < 400, long.join());
      const elements = await inside(".results *").evaluateAll((all) => [...new Set(all.map((e) => e.localName))].sort());
      assert.deepEqual(elements, ["a", "button", "img", "li", "mark", "path", "span", "svg"]);
      const links = await inside("a").evaluateAll((all) => all.every((a) => /^https?:/.test(a.href)));
      assert.equal(links, true);
      const pictures = await inside(".picture").evaluateAll((all) => all.every((i) => i.loading === "lazy" && i.hasAttribute("alt")));
      assert.equal(pictures, true);
      assert.equal(await page.evaluate(() => window.hacked), undefined);
    }, { attributes: { limit: "200" } });
  },
  async "the download can be stopped, and taken up again"() {
    await visit(async (page, { event, type, inside, count }) => {
      faults.pause = 400;
      await type(TEXT);
      await event("results", "words");
      await page.getByRole("button", { name: "Cancel" }).click();
      assert.match(await inside(".status").textContent(), /Only words/);
      await settled(page);
      faults.pause = 0;
      const before = bytesOf("/models/");
      let after = await count();
      await type("blue shirt");
      const { by } = await event("results", undefined, after);
      assert.equal(by, "words");
      assert.equal(bytesOf("/models/"), before, "it was downloaded all the same");
      after = await count();
      await type(TEXT);
      await event("results", "words", after);
      await page.getByRole("button", { name: "Search by meaning" }).click();
      assert.deepEqual(shown(await event("results", "model")), native(TEXT));
    });
  },
  async "an index of another model is refused"() {
    await visit(async (page, { event, type }) => {
      await type(TEXT);
      const { error } = await event("error");
      assert.equal(error.kind, "index.provenance");
      assert.match(error.message, /export the catalogue with the same model/);
      const kinds = await page.evaluate(async () => {
        const catalogue = await Catalogue.open("/shop/");
        const clip = await Clip.load({ model: "/models/second_shape_moved/", towers: "text" });
        const kind = (promise) => promise.then(() => "fine", (error) => error.kind ?? error.name);
        const embedding = await clip.embedText("dress");
        const same = { ...embedding, provenance: catalogue.info.provenance };
        const kinds = [
          await kind(catalogue.search(embedding)),
          await kind(catalogue.search(same)),
          await kind(catalogue.search({ ...same, normalized: embedding.normalized.subarray(1) })),
          await kind(catalogue.search({ ...same, normalized: embedding.values })),
          await kind(catalogue.search(new Float32Array(96))),
          await kind(catalogue.search(same, { limit: -1 })),
          await kind(catalogue.search(same, { signal: AbortSignal.abort() })),
          await kind(Catalogue.open("/none/")),
          await kind(Catalogue.open("")),
        ];
        clip.dispose();
        catalogue.dispose();
        kinds.push(await kind(catalogue.search(same)));
        return kinds;
      });
      assert.deepEqual(kinds, [
        "index.provenance", "fine", "index.dimension", "index.not_unit", "input", "input", "AbortError",
        "index.not_found", "input", "disposed",
      ]);
    }, { attributes: { model: "/models/second_shape_moved/" } });
  },
  async "a host that ignores ranges sends the exact vectors once"() {
    await visit(async (page, { event, type }) => {
      faults.ignoreRange = true;
      await type(TEXT);
      assert.deepEqual(shown(await event("results", "model")), native(TEXT));
      await settled(page);
      assert.ok(server.log.filter(({ url }) => url.includes(manifest.exact.file)).length <= 2);
    });
  },
  async "single rows: fetched by range, checked, kept"() {
    await visit(async (page) => {
      const search = async () => page.evaluate(async (text) => {
        const clip = await Clip.load({ model: "/models/second_shape/", towers: "text" });
        const catalogue = await Catalogue.open("/shop/", { exact: "rows" });
        const hits = await catalogue.search(await clip.embedText(text), { limit: 3 })
          .finally(() => (clip.dispose(), catalogue.dispose()));
        return { hits };
      }, TEXT);
      assert.deepEqual(shown(await search()), native(TEXT).slice(0, 3));
      const bytes = bytesOf(manifest.exact.file);
      assert.ok(bytes > 0 && bytes < manifest.exact.bytes, `${bytes} of ${manifest.exact.bytes}`);
      server.reset();
      assert.deepEqual(shown(await search()), native(TEXT).slice(0, 3));
      assert.equal(bytesOf(manifest.exact.file), 0);
    });
  },
  async "a corrupted file is an error, and a second try works"() {
    for (const [name, at] of [["scan", 3000], ["exact", 200], ["facets", 20]]) {
      await visit(async (page, { event, type, inside }) => {
        faults.corrupt = { file: manifest[name].file, at };
        // Every row is needed, whichever is wrong.
        await type(TEXT);
        const { error } = await event("error");
        assert.equal(error.kind, "index.corrupt", name);
        assert.match(error.message, /deploy the folder/);
        await page.getByRole("alert").getByText("does not work").waitFor();
        faults.corrupt = undefined;
        await page.getByRole("button", { name: "Try again" }).click();
        const { hits } = await event("results", "model");
        assert.equal(hits.length, manifest.products);
        assert.equal(await inside(".error").isVisible(), false);
      }, { attributes: { limit: "200" } });
    }
  },
  async "texts and prices in the shop's language"() {
    await visit(async (page, { event, type, inside }) => {
      await page.evaluate(() => {
        document.querySelector("clip-search").labels = { search: "Suchen", found: "{count} Produkte" };
      });
      assert.equal(await inside(".form .submit").textContent(), "Suchen");
      assert.equal(await inside("input.query").getAttribute("placeholder"), "Was suchen Sie?");
      await type(TEXT);
      const { hits, total } = await event("results", "model");
      assert.equal(await inside(".status").textContent(), `${total} Produkte`);
      const { price, currency } = hits[0].card;
      const text = new Intl.NumberFormat("de", { style: "currency", currency }).format(price);
      assert.equal(await inside(".card").first().locator(".price").textContent(), text);
    }, { attributes: { lang: "de", placeholder: "Was suchen Sie?" } });
  },
  async "`preload` starts without a focus; without it nothing is downloaded"() {
    await visit(async (page) => {
      await page.waitForLoadState("networkidle");
      assert.equal(bytesOf("/models/") + bytesOf("/shop/"), 0);
    });
    await visit(async (page, { event }) => {
      await event("progress");
    }, { attributes: { preload: "" } });
  },
  async "everything on another origin, as on a CDN"() {
    const mounts = {
      "/dist/": path.join(web, "dist"), "/models/": path.join(folder, "packed"), "/shop/": path.join(folder, "shop"),
    };
    const cdn = await serve(mounts, { csp: false, cors: true });
    const shop = await serve(mounts, { csp: false });
    const page = await browser.newPage();
    try {
      // Any document will do.
      await page.goto(`${shop.origin}/shop/manifest.json`);
      const hits = await page.evaluate(async ([origin, text]) => {
        await import(`${origin}/dist/search.js`);
        const search = document.createElement("clip-search");
        for (const [name, value] of [["index", `${origin}/shop/`], ["model", `${origin}/models/second_shape/`], ["limit", "12"], ["mode", "vector"]]) {
          search.setAttribute(name, value);
        }
        document.body.append(search);
        return new Promise((resolve, reject) => {
          search.addEventListener("clip-search-results", ({ detail }) => detail.by === "model" && resolve(detail.hits));
          search.addEventListener("clip-search-error", ({ detail }) => reject(detail.error));
          search.search(text);
        });
      }, [cdn.origin, TEXT]);
      assert.deepEqual(shown({ hits }), native(TEXT));
      assert.equal(shop.log.filter(({ url }) => url.startsWith("/dist/")).length, 0);
    } finally {
      await page.close();
      cdn.close();
      shop.close();
    }
  },
  async "imports without a DOM, and searches in Node"() {
    const module = (name) => import(pathToFileURL(path.join(web, "dist", name)));
    const { ClipSearch } = await module("search.js");
    assert.equal(typeof ClipSearch, "function");
    const [{ Catalogue }, { Clip }] = [await module("catalogue.js"), await module("index.js")];
    const catalogue = await Catalogue.open(path.join(folder, "shop"));
    const clip = await Clip.load({ model: path.join(folder, "packed/second_shape"), towers: "text" });
    const hits = await catalogue.search(await clip.embedText(TEXT), { limit: 12 });
    assert.deepEqual(shown({ hits }), native(TEXT));
    clip.dispose();
    catalogue.dispose();
  },
};

await report(tests, only, close);
