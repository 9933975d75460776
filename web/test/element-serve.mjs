// SCRAPER=… node element-serve.mjs FOLDER [NAME …]
//
// <clip-search endpoint> and `scraper serve`: a page of one origin, the server of another. What the server
// embeds and what the device embeds find the same products, with the same bits.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

import { root } from "./compare.mjs";
import { report } from "./report.mjs";
import { serve } from "./server.mjs";
import { TEXT, browser, close, expected, folder, mounts, native, only, shown } from "./shop.mjs";

const PHOTO = "tests/corpus/jpeg/photo-420-q75.jpg";
const MODEL = path.join(folder, "models/second_shape");
/** Queries that are words alone. */
const TEXTS = expected.map(({ query }) => query).filter((query) => query.length === 1).map(([text]) => text);

/** `scraper serve`, which lets pages of `origin` ask; its origin, and how to end it. */
async function scraper(origin) {
  const args = ["serve", "--listen", "127.0.0.1:0", "--cors", origin, "--model", MODEL, "--store", path.join(folder, "shop.db")];
  const child = spawn(process.env.SCRAPER, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(child.stdout), "line");
  return { url: line.match(/http:\S+/)[0], end: () => child.kill() };
}

// A page's origin is known once its server listens, and its policy names the other server.
const free = await serve({});
const port = Number(new URL(free.origin).port);
free.close();
const served = await scraper(free.origin);
const csp = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ${served.url}; img-src 'self' blob:`;
const pages = await serve(mounts, { port, csp });

/** A fresh visitor; `asked` are the requests to `scraper serve`. */
async function visit(work) {
  pages.reset();
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const asked = [];
    page.on("request", (request) => {
      if (request.url().startsWith(served.url)) asked.push(request);
    });
    const attributes = { limit: "12", mode: "vector", endpoint: `${served.url}/` };
    await page.goto(`${pages.origin}/test/search.html?${new URLSearchParams(attributes)}`);
    await page.waitForFunction(() => document.title === "ready");
    const inside = (selector) => page.locator(`clip-search ${selector}`);
    /** Results by a model after the first `after` events. */
    const results = async (after = 0) => {
      const find = (after) => window.events.slice(after).find(({ name, by }) => name === "results" && by === "model");
      return (await page.waitForFunction(find, after, { timeout: 60_000 })).jsonValue();
    };
    const type = async (text) => {
      const before = await page.evaluate(() => window.events.length);
      await inside("input.query").fill(text);
      await inside("input.query").press("Enter");
      return results(before);
    };
    await work({ page, asked, inside, results, type });
    assert.deepEqual(await page.evaluate(() => window.violations), [], "violations of the CSP");
  } finally {
    await context.close();
  }
}

const tests = {
  async "the first query is the server's and the tenth the device's, with the same bits"() {
    await visit(async ({ page, asked, type }) => {
      pages.faults.stall = "/models/";
      const first = await type(TEXT);
      assert.ok(first.hits.length > 0 && first.hits.every(({ exact }) => !exact));
      assert.deepEqual(shown(first), native(TEXT));
      assert.deepEqual(asked.map((request) => request.postDataJSON()), [{ inputs: TEXT }]);
      pages.faults.stall = undefined;
      await page.waitForFunction(() => document.querySelector("clip-search").shadowRoot.querySelector(".progress") === null);
      await page.waitForTimeout(500);
      const others = TEXTS.filter((text) => text !== TEXT);
      for (let query = 2; query <= 9; query += 1) {
        const { hits } = await type(others[query % others.length]);
        assert.ok(hits.every(({ exact }) => exact), `query ${query}`);
      }
      const tenth = await type(TEXT);
      assert.ok(tenth.hits.every(({ exact }) => exact));
      assert.deepEqual(shown(tenth), shown(first));
      assert.equal(asked.length, 1, "a query was sent although the model was there");
    });
  },
  async "a photo is embedded by the server"() {
    await visit(async ({ asked, inside, results }) => {
      pages.faults.stall = "/models/";
      await inside("input[type=file]").first().setInputFiles(path.join(root, PHOTO));
      const found = await results();
      assert.deepEqual(shown(found), native("--image", PHOTO));
      assert.equal(asked.length, 1);
      assert.equal(asked[0].headers()["content-type"], "image/jpeg");
    });
  },
  async "its own search finds the same"() {
    for (const text of TEXTS) {
      const query = new URLSearchParams({ text, mode: "vector", floor: "false" });
      const { found } = await (await fetch(`${served.url}/search?${query}`)).json();
      assert.deepEqual(shown({ hits: found }), native(text), text);
    }
    const body = await readFile(path.join(root, PHOTO));
    const answer = await fetch(`${served.url}/search`, { method: "POST", body, headers: { "Content-Type": "image/jpeg" } });
    assert.deepEqual(shown({ hits: (await answer.json()).found }), native("--image", PHOTO));
  },
  async "a page of another origin is not let in, and the model answers"() {
    await visit(async ({ page }) => {
      const answered = await page.evaluate((url) => fetch(url, { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } }).then(({ status }) => status, String), `${served.url}/`);
      assert.equal(answered, 400, "this origin may ask");
    });
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(pages.origin.replace("localhost", "127.0.0.1") + "/test/page.html");
    const answered = await page.evaluate((url) => fetch(url, { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } }).then(({ status }) => status, String), `${served.url}/`);
    assert.match(String(answered), /Failed to fetch/);
    await context.close();
  },
};

await report(tests, only, async () => {
  served.end();
  pages.close();
  await close();
});
