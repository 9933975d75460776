// node element-around.mjs FOLDER [NAME …]
//
// What happens around <clip-search>, in Chromium: links of the page, frameworks, nights that pass, other
// programs' clipboards.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { root } from "./compare.mjs";
import { report } from "./report.mjs";
import { TEXT, close, folder, manifest, mounts, native, only, shown, visit } from "./shop.mjs";

const PHOTO = "target/web/shop/query.jpg";
const words = { mode: "words" };

const tests = {
  async "a link within the page changes nothing"() {
    await visit(async (page, { event, type, inside, count }) => {
      const jump = async (hash) => {
        await page.evaluate((to) => new Promise((done) => {
          addEventListener("popstate", () => setTimeout(done, 50), { once: true });
          location.hash = to;
        }), hash);
      };
      await type("dress");
      await event("results", "model");
      let after = await count();
      await page.getByRole("button", { name: "Show more" }).click();
      await event("results", "model", after);
      after = await count();
      await jump("reviews");
      assert.equal(await inside(".card").count(), 24);
      await inside("input[type=file]").first().setInputFiles(path.join(root, PHOTO));
      assert.deepEqual(shown(await event("results", "model", after)), native("--image", PHOTO));
      await jump("sizes");
      assert.equal(await inside(".card").count(), 12, "the photo is gone");
      assert.equal(await inside(".photo").isVisible(), true);
      // The way back is still one.
      await page.goBack();
      await page.goBack();
      await page.waitForFunction(() => document.querySelector("clip-search").query === "dress");
    });
  },
  async "properties may come in any order, before the element is in the page"() {
    await visit(async (page) => {
      const found = await page.evaluate((text) => new Promise((resolve) => {
        const element = document.createElement("clip-search");
        element.addEventListener("clip-search-results", ({ detail }) => detail.by === "model" && resolve(detail.hits.length));
        element.addEventListener("clip-search-error", ({ detail }) => resolve(detail.error.message));
        Object.assign(element, { query: text, limit: 5, url: "off", mode: "vector" });
        // A framework renders, and fills in what it knows later.
        setTimeout(() => {
          Object.assign(element, { index: "/shop/", model: "/models/second_shape/" });
          document.body.append(element);
        }, 200);
      }), TEXT);
      assert.equal(found, 5);
    });
  },
  async "another catalogue while the element is in no page"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("dress");
      await event("results");
      const after = await count();
      await page.evaluate(() => {
        const element = document.querySelector("clip-search");
        const { parentNode } = element;
        element.remove();
        element.index = "/shop/none/";
        parentNode.append(element);
      });
      assert.equal((await event("error", undefined, after)).error.kind, "index.not_found");
      assert.equal(await inside(".card").count(), 0, "the products are still those of before");
    }, { attributes: words });
  },
  async "a page that is open while the catalogue is exported anew"() {
    const nightly = await mkdtemp(path.join(tmpdir(), "nightly-"));
    try {
      await cp(path.join(folder, "shop"), nightly, { recursive: true });
      mounts["/nightly/"] = nightly;
      await visit(async (page, { event, type, inside }) => {
        await event("progress");
        await page.waitForLoadState("networkidle");
        // The names of files are those of their contents; the old ones are removed.
        const [cards] = manifest.cards;
        const bytes = `${await readFile(path.join(nightly, cards.file), "utf8")}\n`;
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        const file = `cards-0000-${sha256.slice(0, 16)}.json`;
        await rm(path.join(nightly, cards.file));
        await writeFile(path.join(nightly, file), bytes);
        const newer = { ...manifest, cards: [{ file, bytes: Buffer.byteLength(bytes), sha256 }] };
        await writeFile(path.join(nightly, "manifest.json"), JSON.stringify(newer));
        await type("dress");
        const { hits } = await event("results");
        assert.ok(hits.length > 0);
        assert.equal(await inside(".error").isVisible(), false);
        assert.deepEqual(await page.evaluate(() => window.events.filter(({ name }) => name === "error")), []);
        // Gone for good: told of once, and searched again as soon as it is there.
        await rm(path.join(nightly, file));
      }, { attributes: { ...words, index: "/nightly/", preload: "words" } });
      await visit(async (page, { event, type, inside, count }) => {
        await type("dress");
        const { error } = await event("error");
        assert.equal(error.kind, "index.not_found");
        await cp(path.join(folder, "shop"), nightly, { recursive: true });
        const after = await count();
        await page.getByRole("button", { name: "Try again" }).click();
        assert.ok((await event("results", undefined, after)).hits.length > 0);
        assert.equal(await inside(".error").isVisible(), false);
      }, { attributes: { ...words, index: "/nightly/" } });
    } finally {
      await rm(nightly, { recursive: true });
    }
  },
  async "words that were copied with a picture of themselves stay words"() {
    await visit(async (page) => {
      const bytes = [...await readFile(path.join(root, PHOTO))];
      const pasted = (text) => page.evaluate(([text, bytes]) => {
        const data = new DataTransfer();
        if (text) data.setData("text/plain", text);
        data.items.add(new File([new Uint8Array(bytes)], "cell.jpg", { type: "image/jpeg" }));
        const event = new ClipboardEvent("paste", { bubbles: true, composed: true, cancelable: true, clipboardData: data });
        document.querySelector("clip-search").shadowRoot.querySelector(".query").dispatchEvent(event);
        return event.defaultPrevented;
      }, [text, bytes]);
      assert.equal(await pasted("DS-00001"), false);
      assert.equal(await pasted(""), true);
    });
  },
  async "the order outlives a search that finds nothing, and the filters one that is taken back"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("dress");
      await event("results");
      let after = await count();
      await inside("select").selectOption("price");
      await event("results", undefined, after);
      await inside("details").nth(1).locator("summary").click();
      after = await count();
      await inside("details").nth(1).locator("label").first().click();
      await event("results", undefined, after);
      await page.keyboard.press("Escape");
      after = await count();
      await type("ruevaneck");
      assert.equal((await event("results", undefined, after)).total, 0);
      after = await count();
      await inside(".chip").first().click();
      await event("results", undefined, after);
      assert.equal(await page.evaluate(() => document.querySelector("clip-search").sort), "price");
      assert.equal(new URL(page.url()).searchParams.get("clip-sort"), "price");
      await inside("input.query").fill("");
      await page.waitForFunction(() => document.querySelector("clip-search").shadowRoot.querySelector(".results").hidden);
      assert.equal(await inside("details").first().isVisible(), true, "nothing can be filtered by");
    }, { attributes: words });
  },
  async "a remembered query that is pressed does not take the focus from the box"() {
    await visit(async (page, { event, type, inside, count }) => {
      await type("dress");
      await event("results");
      await inside("input.query").fill("");
      const again = inside(".again").first();
      await again.waitFor();
      const { x, y } = await again.boundingBox();
      await page.mouse.move(x + 5, y + 5);
      await page.mouse.down();
      // Safari gives a pressed button no focus: the list must not depend on it.
      const focused = await page.evaluate(() => document.querySelector("clip-search").shadowRoot.activeElement?.className);
      assert.equal(focused, "query");
      const after = await count();
      await page.mouse.up();
      assert.equal((await event("results", undefined, after)).query, "dress");
      assert.equal(await inside(".recent").isVisible(), false);
    }, { attributes: { ...words, recent: "" } });
  },
};

await report(tests, only, close);
