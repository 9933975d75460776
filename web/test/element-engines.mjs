// node element-engines.mjs FOLDER [NAME …]
//
// What <clip-search> needs of a browser, in Firefox and WebKitGTK as in Chromium: a search by words, a
// filter, the order, the next page, products like one, the sheet of filters, address and history.

import assert from "node:assert/strict";
import path from "node:path";

import { openPage } from "./browsers.mjs";
import { web } from "./compare.mjs";
import { report } from "./report.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const server = await serve({
  "/dist/": path.join(web, "dist"), "/test/": import.meta.dirname, "/models/": path.join(folder, "packed"), "/shop/": path.join(folder, "shop"),
});

/** Everything once, in the page; it gives what it has seen. */
async function walk() {
  const element = document.querySelector("clip-search");
  const root = element.shadowRoot;
  const seen = [];
  const failed = [];
  element.addEventListener("clip-search-error", ({ detail }) => failed.push(String(detail.error)));
  const after = (act) => new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`no results: ${act} ${failed}`)), 30_000);
    element.addEventListener("clip-search-results", ({ detail }) => resolve(detail), { once: true });
    act();
  });
  const titles = () => root.querySelectorAll(".card").length;

  const found = await after(() => (element.query = "ruevane"));
  seen.push(found.by, found.total > 5, titles() === 3, root.querySelector("mark")?.textContent);
  const more = await after(() => root.querySelector(".more").click());
  seen.push(more.offset, titles());
  const dear = await after(() => (element.sort = "-price"));
  seen.push(dear.hits[0].card.price >= dear.hits[1].card.price);
  // As a visitor: the sheet, a section of it, a value.
  element.style.inlineSize = "360px";
  await new Promise((resolve) => setTimeout(resolve, 200));
  const button = root.querySelector(".filters-button");
  button.click();
  const sheet = root.querySelector("dialog");
  seen.push(sheet.open);
  root.querySelector("summary").click();
  const box = root.querySelector(".values input");
  const filtered = await after(() => box.click());
  seen.push(filtered.filters.category[0] === box.value, filtered.total < found.total);
  sheet.close();
  seen.push(sheet.open, getComputedStyle(root.querySelector(".results")).gridTemplateColumns.split(" ").length);
  const similar = await after(() => root.querySelector(".similar").click());
  seen.push(similar.kind, similar.hits.every(({ score }) => score > -1));
  seen.push(new URLSearchParams(location.search).get("clip-like") !== null);
  const back = await after(() => history.back());
  seen.push(back.kind, element.query);
  element.query = "";
  seen.push(root.querySelector(".results").hidden, failed.length);
  return seen;
}

const tests = Object.fromEntries(["chromium", "firefox", "webkit"].map((name) => [name, async () => {
  const page = await openPage(name, `${server.origin}/test/search.html?limit=3&mode=words`);
  try {
    assert.deepEqual(await page.run(walk), [
      "words", true, true, "Ruevane", 3, 6, true, true, true, true, false, 2, "similar", true, true, "text", "ruevane", true, 0,
    ]);
  } finally {
    await page.close();
  }
}]));

await report(tests, only, async () => server.close());
