// node element.mjs FOLDER [NAME …]
//
// What shops expect of <clip-search>: properties, pages, order, filters, address, sharing, typing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { source } from "./compare.mjs";
import { report } from "./report.mjs";
import {
  TEXT, accessible, bytesOf, close, expected, faults, folder, manifest, mounts, only, server, settled, visit,
} from "./shop.mjs";

const ids = (page, nth = 0) => page.evaluate((n) => {
  const links = document.querySelectorAll("clip-search")[n].shadowRoot.querySelectorAll(".card .title");
  return [...links].map((title) => title.textContent);
}, nth);
/** The state of the page's workers: how many of which kind. */
const workers = (page) => page.workers().map((worker) => new URL(worker.url()).pathname.split("/").at(-1)).sort();
const until = async (page, condition, what) => {
  for (let i = 0; i < 200; i += 1) {
    if (await condition()) return;
    await page.waitForTimeout(50);
  }
  assert.fail(`never: ${what}`);
};
/** Scrolls to the end of an endless list, until all products are there; `before` as for `visit`. */
const scrollThrough = (before) => visit(async (page, { event, type, inside }) => {
  await type("dress");
  const { total } = await event("results", "model");
  await until(page, async () => {
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    return (await inside(".card").count()) === total;
  }, "all products");
  assert.equal(await inside(".pages").isVisible(), false);
}, { attributes: { paging: "endless" }, before });

const tests = {
  async "every attribute is a property that reflects it and takes anything"() {
    await visit(async (page) => {
      const problems = await page.evaluate(() => {
        const problems = [];
        const { observedAttributes: names } = customElements.get("clip-search");
        for (const name of names) {
          const element = document.createElement("clip-search");
          for (const value of [undefined, null, "", "x", 0, -1, 7, NaN, true, false, {}, Object.create(null), [], () => 1]) {
            try {
              element[name] = value;
              void element[name];
            } catch (error) {
              problems.push(`${name} = ${typeof value}: ${error}`);
            }
          }
          element[name] = 7;
          if (element.getAttribute(name) !== "7") problems.push(`${name} is not reflected`);
          element[name] = undefined;
          if (element.hasAttribute(name)) problems.push(`${name} stays`);
        }
        const element = document.createElement("clip-search");
        for (const name of ["labels", "filters", "sort", "query"]) {
          for (const value of [undefined, null, 7, "x", {}, []]) {
            try {
              element[name] = value;
            } catch (error) {
              problems.push(`${name} = ${value}: ${error}`);
            }
          }
        }
        element.limit = "5";
        element.setAttribute("debounce", "0");
        const { limit, debounce, mode, paging, preload } = element;
        // Nothing else is there for a framework to set by accident.
        const own = Object.keys(element);
        return [...problems, JSON.stringify({ limit, debounce, mode, paging, preload, own })];
      });
      assert.deepEqual(problems, [JSON.stringify({ limit: 5, debounce: 0, mode: "hybrid", paging: "more", preload: "none", own: [] })]);
    });
  },
  async "what was set before the class was there is kept"() {
    await visit(async (page) => {
      const found = await page.evaluate(async () => {
        const frame = document.createElement("iframe");
        document.body.append(frame);
        const { contentDocument: inner, contentWindow: window } = frame;
        const element = inner.createElement("clip-search");
        Object.assign(element, { limit: 3, index: "/shop/", labels: { search: "Suchen" }, filters: { brand: "Ostra" } });
        inner.body.append(element);
        const script = inner.createElement("script");
        script.type = "module";
        script.src = "/dist/search.js";
        inner.body.append(script);
        await window.customElements.whenDefined("clip-search");
        return [element.limit, element.getAttribute("limit"), element.index, element.filters,
          element.shadowRoot.querySelector(".submit span").textContent];
      });
      assert.deepEqual(found, [3, "3", "/shop/", { brand: ["Ostra"] }, "Suchen"]);
    });
  },
  async "pages: `show more` appends, totals are true, focus goes to the first new product"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("dress");
      const first = await event("results", "model");
      assert.deepEqual([first.hits.length, first.offset], [12, 0]);
      assert.ok(first.total > 24, `${first.total}`);
      assert.equal(await inside(".status").textContent(), `${first.total} products`);
      assert.equal(await inside(".shown").textContent(), `12 of ${first.total} shown`);
      const before = await ids(page);
      const after = await count();
      await page.getByRole("button", { name: "Show more" }).click();
      const second = await event("results", "model", after);
      assert.deepEqual([second.hits.length, second.offset, second.total], [12, 12, first.total]);
      const all = await ids(page);
      assert.deepEqual(all.slice(0, 12), before);
      assert.equal(all.length, 24);
      const at = await page.evaluate(() => {
        const { shadowRoot } = document.querySelector("clip-search");
        return [...shadowRoot.querySelectorAll(".card")].indexOf(shadowRoot.activeElement);
      });
      assert.equal(at, 12);
      const products = new Set([...first.hits, ...second.hits].map(({ id }) => id));
      assert.equal(products.size, 24, "a product is shown twice");
    });
  },
  async "endless paging ends with all products"() {
    await scrollThrough();
  },
  async "endless paging goes on where a busy page tells late what is visible"() {
    const before = (page) => page.addInitScript(() => {
      const { IntersectionObserver } = window;
      window.IntersectionObserver = class extends IntersectionObserver {
        constructor(tell, options) {
          let late = [];
          super((records) => {
            if (late.length === 0) setTimeout(() => tell(late.splice(0), this), 300);
            late.push(...records);
          }, options);
        }
      };
    });
    await scrollThrough(before);
  },
  async "by default words and meaning are fused, as `scraper search` fuses them"() {
    await visit(async (page, { event, type, count }) => {
      for (const { query: [text, ...rest], hybrid } of expected) {
        if (rest.length > 0 || text.startsWith("--")) continue;
        const after = await count();
        await type(text);
        const { hits } = await event("results", "model", after);
        assert.deepEqual(hits.map(({ id }) => id), hybrid.map(({ id }) => id), text);
      }
      // A brand's products come first.
      const after = await count();
      await type("Ruevane");
      const { hits } = await event("results", "model", after);
      const brands = hits.map(({ card }) => card.brand);
      assert.ok(brands.lastIndexOf("Ruevane") === brands.filter((brand) => brand === "Ruevane").length - 1 && brands[10] === "Ruevane", brands.join());
    }, { attributes: { mode: "hybrid" } });
  },
  async "nothing found: words of the shop are suggested, and searched for with a click"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("ruevaneck");
      const { total } = await event("results");
      assert.equal(total, 0);
      assert.match(await inside(".suggestions").textContent(), /^Try instead:/);
      const [suggestion] = await inside(".suggestion").allTextContents();
      const after = await count();
      await inside(".suggestion").first().click();
      const { query, hits } = await event("results", undefined, after);
      assert.equal(query, suggestion);
      assert.ok(hits.length > 0);
      assert.equal(await inside(".suggestions").isVisible(), false);
      assert.equal(await inside("input.query").inputValue(), suggestion);
    }, { attributes: { mode: "words" } });
  },
  async "order: by price, both ways"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("dress");
      await event("results", "model");
      for (const [sort, sign] of [["price", 1], ["-price", -1]]) {
        const after = await count();
        await inside("select").selectOption(sort);
        const { hits } = await event("results", "model", after);
        const prices = hits.map(({ card }) => card.price);
        assert.deepEqual(prices, prices.toSorted((a, b) => sign * (a - b)));
      }
      assert.match(page.url(), /clip-sort=-price/);
    });
  },
  async "order: newest first, where the shop tells dates"() {
    await visit(async (page, { event, type, inside }) => {
      await type("dress");
      await event("results");
      assert.equal((await inside("option").allTextContents()).includes("Newest"), false);
    }, { attributes: { mode: "words" } });
    // The same shop, listed from the last to the first.
    const copy = await mkdtemp(path.join(tmpdir(), "dated-"));
    try {
      await cp(path.join(folder, "shop"), copy, { recursive: true });
      const facets = JSON.parse(await readFile(path.join(copy, manifest.facets.file), "utf8"));
      const bytes = JSON.stringify({ ...facets, listed: facets.price.map((_, i) => 1000 - i) });
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const listed = { file: `facets-${sha256.slice(0, 16)}.json`, bytes: bytes.length, sha256 };
      await writeFile(path.join(copy, listed.file), bytes);
      await writeFile(path.join(copy, "manifest.json"), JSON.stringify({ ...manifest, facets: listed }));
      mounts["/dated/"] = copy;
      await visit(async (page, { event, type, inside, count }) => {
        await type("ruevane");
        await event("results");
        const after = await count();
        await inside("select").selectOption({ label: "Newest" });
        const { hits } = await event("results", undefined, after);
        const found = hits.map(({ id }) => id);
        assert.deepEqual(found, found.toSorted());
        assert.ok(found.length > 5);
      }, { attributes: { mode: "words", index: "/dated/" } });
    } finally {
      await rm(copy, { recursive: true });
    }
  },
  async "filters: several values, counts that their own choice does not narrow, chips"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("dress");
      const { total } = await event("results", "model");
      const brand = inside("details").nth(1);
      await brand.locator("summary").click();
      const numbers = async () => Object.fromEntries((await brand.locator("label").allTextContents())
        .map((text) => /^(.*?)(\d+)$/.exec(text).slice(1)));
      const before = await numbers();
      const [[one, ones], [two, twos]] = Object.entries(before);
      let after = await count();
      await brand.getByLabel(one).check();
      assert.equal((await event("results", "model", after)).total, Number(ones));
      assert.deepEqual(await numbers(), before);
      after = await count();
      await brand.getByLabel(two).check();
      const both = await event("results", "model", after);
      assert.equal(both.total, Number(ones) + Number(twos));
      assert.deepEqual(both.filters, { brand: [one, two] });
      // Another facet's counts are narrowed.
      const category = inside("details").first();
      const sum = (await category.locator("label .count").allTextContents()).reduce((s, n) => s + Number(n), 0);
      assert.equal(sum, both.total);
      await page.keyboard.press("Escape");
      assert.equal(await brand.evaluate((e) => e.open), false);
      after = await count();
      await page.getByRole("button", { name: `Remove ${one}` }).click();
      assert.equal((await event("results", "model", after)).total, Number(twos));
      after = await count();
      await page.getByRole("button", { name: `Remove ${two}` }).click();
      assert.equal((await event("results", "model", after)).total, total);
    });
  },
  async "in stock"() {
    await visit(async (page, { event, type, count }) => {
      await type("dress");
      await event("results", "model");
      const after = await count();
      await page.getByLabel(/^In stock/).check();
      const { hits, filters } = await event("results", "model", after);
      assert.deepEqual(filters, { availability: ["in_stock"] });
      assert.ok(hits.length > 0 && hits.every(({ card }) => card.availability === "in_stock"));
    });
  },
  async "address: written, read after a reload, back and forward"() {
    await visit(async (page, { event, type, inside, count }) => {
      const asked = () => new URL(page.url()).searchParams;
      const start = page.url();
      await type("red dress");
      await event("results", "model");
      assert.equal(asked().get("clip"), "red dress");
      assert.equal(asked().get("index"), null);
      assert.equal(asked().get("limit"), "12", "a parameter of the page is gone");
      await inside("details").nth(1).locator("summary").click();
      let after = await count();
      const [one] = await inside("details").nth(1).locator("label span[dir]").allTextContents();
      await inside("details").nth(1).getByLabel(one).check();
      await event("results", "model", after);
      assert.deepEqual(asked().getAll("clip-brand"), [one]);
      await page.reload();
      await page.waitForFunction(() => document.title === "ready");
      const { query, filters, hits } = await event("results", "model");
      assert.deepEqual([query, filters], ["red dress", { brand: [one] }]);
      assert.ok(hits.every(({ card }) => card.brand === one));
      assert.equal(await inside("input.query").inputValue(), "red dress");
      after = await count();
      await page.goBack();
      assert.deepEqual((await event("results", "model", after)).filters, {});
      await page.goBack();
      await page.waitForFunction(() => document.querySelector("clip-search").shadowRoot.querySelector(".results").hidden);
      assert.equal(page.url(), start);
      assert.equal(await inside("input.query").inputValue(), "");
      after = await count();
      await page.goForward();
      assert.equal((await event("results", "model", after)).query, "red dress");
      // Typing is one step of the history, not one for every pause.
      const length = await page.evaluate(() => history.length);
      await inside("input.query").fill("");
      for (const text of ["blue", "blue s", "blue shirt"]) {
        after = await count();
        await inside("input.query").fill(text);
        await event("results", "model", after);
      }
      assert.ok((await page.evaluate(() => history.length)) - length <= 2);
    });
  },
  async "address: two elements have parameters of their own, and `off` leaves it alone"() {
    await visit(async (page, { event, inside, count }) => {
      await page.evaluate(() => {
        const second = document.createElement("clip-search");
        Object.assign(second, { index: "/shop/", model: "/models/second_shape/", limit: 3 });
        const third = document.createElement("clip-search");
        Object.assign(third, { index: "/shop/", model: "/models/second_shape/", limit: 3, url: "off" });
        document.querySelector("main").append(second, third);
      });
      await inside("input.query").first().fill("red dress");
      await event("results", "model");
      for (const [at, text] of [[1, "blue shirt"], [2, "hat"]]) {
        const after = await count();
        await page.evaluate(([at, text]) => document.querySelectorAll("clip-search")[at].search(text), [at, text]);
        await event("results", "model", after);
      }
      const asked = new URL(page.url()).searchParams;
      assert.deepEqual([asked.get("clip"), asked.get("clip2")], ["red dress", "blue shirt"]);
      assert.ok(![...asked.values()].includes("hat"));
      await page.goBack();
      await page.waitForFunction(() => document.querySelectorAll("clip-search")[1].query === "");
      assert.equal(await page.evaluate(() => document.querySelector("clip-search").query), "red dress");
    });
  },
  async "two elements share a catalogue and a model; the last one ends them"() {
    await visit(async (page, { event, type, count }) => {
      await type(TEXT);
      await event("results", "model");
      // What a first query needs no more follows in the background.
      await settled(page);
      const requests = server.log.length;
      const after = await count();
      await page.evaluate((text) => {
        const second = document.createElement("clip-search");
        Object.assign(second, { index: "/shop/", model: "/models/second_shape/", limit: 3, url: "off", query: text });
        document.querySelector("main").append(second);
      }, TEXT);
      await event("results", "model", after);
      assert.deepEqual(workers(page), ["catalogue-worker.js", "worker.js"]);
      const again = server.log.slice(requests).map(({ url }) => url).filter((url) => /\/text-|\/scan-|\.wasm$|worker\.js$/.test(url));
      assert.deepEqual(again, []);
      await page.evaluate(() => document.querySelector("clip-search").remove());
      await page.waitForTimeout(4000);
      assert.equal(workers(page).length, 2, "what another element uses was ended");
      await page.evaluate(() => document.querySelector("clip-search").remove());
      await until(page, () => workers(page).length === 0, "no worker");
    });
  },
  async "removed and put back: query, filters and products are still there"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("dress");
      await event("results", "model");
      let after = await count();
      await page.getByRole("button", { name: "Show more" }).click();
      await event("results", "model", after);
      const before = await ids(page);
      for (const pause of [0, 4000]) {
        await page.evaluate(async (pause) => {
          const element = document.querySelector("clip-search");
          const { parentElement } = element;
          element.remove();
          await new Promise((resolve) => setTimeout(resolve, pause));
          parentElement.append(element);
        }, pause);
        assert.deepEqual(await ids(page), before);
        assert.equal(await inside("input.query").inputValue(), "dress");
        after = await count();
        await page.evaluate(() => (document.querySelector("clip-search").sort = "price"));
        const { total } = await event("results", undefined, after);
        assert.ok(total > 12);
        after = await count();
        await page.evaluate(() => (document.querySelector("clip-search").sort = "relevance"));
        await event("results", "model", after);
        after = await count();
        await page.getByRole("button", { name: "Show more" }).click();
        await event("results", "model", after);
      }
    });
  },
  async "removed in the middle of a search, and put back: it goes on"() {
    await visit(async (page, { event, type, inside }) => {
      faults.stall = "/shop/";
      await type("dress");
      await inside(".skeletons").waitFor();
      const element = await page.evaluateHandle(() => document.querySelector("clip-search"));
      await element.evaluate((e) => e.remove());
      await page.waitForTimeout(200);
      delete faults.stall;
      await element.evaluate((e) => document.querySelector("main").append(e));
      const { query } = await event("results", "model");
      assert.equal(query, "dress");
    }, { attributes: { url: "off" } });
  },
  async "words that match are marked"() {
    await visit(async (page, { event, type, inside }) => {
      await type("striped shirts");
      await event("results", "model");
      const marks = await inside("mark").allTextContents();
      assert.ok(marks.includes("Striped") && marks.includes("Shirt"), marks.join());
    });
    const { highlight } = await source("element/highlight.ts");
    // Without a DOM only texts that nothing matches.
    assert.deepEqual(highlight("a Red dress", []), ["a Red dress"]);
  },
  async "similar products: by a product's own vector, no tower is downloaded"() {
    await visit(async (page, { event, inside, type, count }) => {
      await type("ruevane");
      const [{ card: { title } }] = (await event("results")).hits;
      let after = await count();
      await page.getByRole("button", { name: `Similar to ${title}` }).first().click();
      const { kind, query, hits } = await event("results", "model", after);
      assert.deepEqual([kind, query], ["similar", title]);
      assert.ok(hits.length > 0 && hits.every(({ score }) => score !== undefined));
      assert.ok(hits.slice(1).every(({ score }, i) => score <= hits[i].score));
      assert.equal(bytesOf("/models/"), 0);
      assert.match(await inside(".photo").textContent(), new RegExp(`Products like ${title}`));
      assert.match(page.url(), /clip-like=/);
      await page.reload();
      await page.waitForFunction(() => document.title === "ready");
      assert.deepEqual((await event("results", "model")).hits.map(({ id }) => id), hits.map(({ id }) => id));
      after = await count();
      await page.goBack();
      assert.equal((await event("results", undefined, after)).kind, "text");
    }, { attributes: { mode: "words" } });
  },
  async "recent queries: only if asked for, on this device, removable"() {
    await visit(async (page, { event, type, inside, count }) => {
      for (const text of ["red dress", "blue shirt"]) {
        const after = await count();
        await type(text);
        await event("results", undefined, after);
      }
      await inside("input.query").fill("");
      assert.deepEqual(await inside(".again").allTextContents(), ["blue shirt", "red dress"]);
      await accessible(page, "recent queries");
      await page.reload();
      await page.waitForFunction(() => document.title === "ready");
      await inside("input.query").fill("");
      await inside("input.query").focus();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowDown");
      const after = await count();
      await page.keyboard.press("Enter");
      assert.equal((await event("results", undefined, after)).query, "red dress");
      await inside("input.query").fill("");
      await page.getByRole("button", { name: "Forget red dress" }).click();
      assert.deepEqual(await inside(".again").allTextContents(), ["blue shirt"]);
      await page.getByRole("button", { name: "Forget all" }).click();
      assert.equal(await inside(".recent").isVisible(), false);
      assert.equal(await page.evaluate(() => localStorage.length), 0);
      assert.ok(server.log.every(({ url }) => !/red|blue/.test(url)));
    }, { attributes: { recent: "", mode: "words" } });
    await visit(async (page, { event, type, inside }) => {
      await type("red dress");
      await event("results");
      await inside("input.query").fill("");
      assert.equal(await inside(".recent").isVisible(), false);
      assert.equal(await page.evaluate(() => localStorage.length), 0);
    });
  },
  async "typing: the pause can be set, and composed text is searched for"() {
    await visit(async (page, { event, inside, count }) => {
      const box = inside("input.query");
      await box.pressSequentially("red", { delay: 20 });
      assert.equal((await event("results")).query, "red", "searched before the pause");
      const session = await page.context().newCDPSession(page);
      // A keyboard that never ends its composition.
      await box.fill("");
      let after = await count();
      await session.send("Input.imeSetComposition", { text: "blue", selectionStart: 4, selectionEnd: 4 });
      assert.equal((await event("results", undefined, after)).query, "blue");
      // One that does.
      after = await count();
      await session.send("Input.insertText", { text: "blue" });
      await session.send("Input.imeSetComposition", { text: " sh", selectionStart: 3, selectionEnd: 3 });
      await session.send("Input.insertText", { text: " shirt" });
      assert.equal((await event("results", undefined, after)).query.replace(/^.*?blue shirt$/, "blue shirt"), "blue shirt");
    }, { attributes: { debounce: "300", mode: "words" } });
  },
};

await report(tests, only, close);
