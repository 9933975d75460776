// The sample shop with <clip-search> on a page, in Chromium: what the tests of the element share.
// FOLDER is target/web: packed models, the exported shop, and shop.json.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { launchChromium } from "./browsers.mjs";
import { web } from "./compare.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...names] = process.argv.slice(2);
export const only = names;
export const folder = path.resolve(folderArgument);
const read = async (name) => JSON.parse(await readFile(path.join(folder, name), "utf8"));
/** What `scraper search` finds. */
export const expected = await read("shop.json");
/** Of the exported shop. */
export const manifest = await read("shop/manifest.json");
const axe = await readFile(path.join(web, "node_modules/axe-core/axe.min.js"), "utf8");
export const TEXT = "red floral dress";

/** What the server answers besides files: address to a function of the request and its body. */
export const answers = {};
/** What it serves; tests may add to it. */
export const mounts = {
  "/dist/": path.join(web, "dist"), "/test/": import.meta.dirname,
  "/models/": path.join(folder, "packed"), "/shop/": path.join(folder, "shop"),
};
export const server = await serve(mounts, { answers });
export const { faults } = server;
export const browser = await launchChromium();
/** Bytes that were sent of what has `part` in its address. */
export const bytesOf = (part) => server.log.filter((r) => r.url.includes(part)).reduce((sum, r) => sum + r.bytes, 0);
export const close = async () => {
  await browser.close();
  server.close();
};

const bits = (score) => new Uint32Array(Float32Array.of(score).buffer)[0];
/** Ids, images and scores (bits), as both sides tell them. */
export const native = (...query) => {
  const found = expected.find((e) => JSON.stringify(e.query) === JSON.stringify(query));
  return found.hits.map(({ id, image, score }) => [id, image, bits(score)]);
};
export const shown = ({ hits }) => hits.map(({ id, image, score }) => [id, image, bits(score)]);

/**
 * A fresh visitor on a page with the element (`attributes`; by meaning, as the native hits); `before` is given the
 * page before it is opened; `work` gets it and helpers.
 */
export async function visit(work, { attributes = {}, context: options = {}, before = async () => undefined, keep = false } = {}) {
  if (!keep) server.reset();
  const context = await browser.newContext(options);
  const foreign = [];
  const crashes = [];
  context.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(server.origin)) foreign.push(request.url());
  });
  try {
    const page = await context.newPage();
    page.on("pageerror", (error) => crashes.push(String(error)));
    await before(page);
    await page.goto(`${server.origin}/test/search.html?${new URLSearchParams({ limit: "12", mode: "vector", ...attributes })}`);
    await page.waitForFunction(() => document.title === "ready");
    const inside = (selector) => page.locator(`clip-search ${selector}`);
    await work(page, {
      context,
      inside,
      /** The next event of that name (and, of results, by whom) after the first `after` events. */
      event: async (name, by, after = 0) => {
        const find = ([n, b, a]) => window.events.slice(a).find((e) => e.name === n && (b === undefined || e.by === b));
        const handle = await page.waitForFunction(find, [name, by, after], { timeout: 60_000 });
        return handle.jsonValue();
      },
      count: () => page.evaluate(() => window.events.length),
      type: async (text) => {
        await inside("input.query").fill(text);
        await inside("input.query").press("Enter");
      },
    });
    assert.deepEqual(await page.evaluate(() => window.violations), [], "violations of the CSP");
    assert.deepEqual(foreign, [], "requests to other origins");
    assert.deepEqual(crashes, [], "uncaught errors");
  } finally {
    await context.close();
    // What it had asked for may still wait to be accepted, and would count as the next visitor's.
    await new Promise((resolve) => setTimeout(resolve, 100));
    server.hangUp();
  }
}

/** Until nothing is being downloaded or kept. */
export const settled = (page) => page.waitForFunction(async () => {
  const { held, pending } = await navigator.locks.query();
  return held.length + pending.length === 0;
});

/** Rules that the page breaks. */
export async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => `${n.target} (${n.failureSummary})`).join("; ")}`);
}

/** No violation in light and in dark. */
export async function accessible(page, what) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    assert.deepEqual(await violations(page), [], `${what}, ${colorScheme}`);
  }
}
