// node rust.mjs FOLDER
//
// The crate from Rust: the front end of examples/front_end in Chromium gives the digest that the native
// program has. FOLDER is target/web: packed models, and the built front end.

import assert from "node:assert/strict";
import path from "node:path";

import { launchChromium } from "./browsers.mjs";
import { expectations } from "./compare.mjs";
import { report } from "./report.mjs";
import { serve } from "./server.mjs";

const folder = path.resolve(process.argv[2]);
const expected = await expectations(folder);
const TEXT = "red floral dress";
const server = await serve({
  "/front-end/": path.join(folder, "front-end"), "/models/": path.join(folder, "packed"),
});
const browser = await launchChromium();

async function visit(work, faults = {}) {
  server.reset();
  Object.assign(server.faults, faults);
  const page = await browser.newPage();
  try {
    await page.goto(`${server.origin}/front-end/index.html?model=/models/second_shape/`);
    await work(page);
  } finally {
    await page.close();
  }
}
const status = (page, told) =>
  page.waitForFunction((told) => document.querySelector("#status").textContent.includes(told), told);

await report({
  async "a text has the digest of the native program"() {
    await visit(async (page) => {
      await status(page, "ready");
      assert.equal(await page.locator("#progress").evaluate(({ value }) => value), 1);
      await page.locator("#text").fill(TEXT);
      const digest = await page.locator("#digest").textContent();
      const [, known] = expected.second_shape[`text-${TEXT}`].find(([stage]) => stage === "embedding");
      assert.equal(digest.slice(0, known.length), known);
    });
  },
  async "a download can be given up"() {
    await visit(async (page) => {
      await page.waitForFunction(() => document.querySelector("#progress").value > 0);
      await page.keyboard.press("Escape");
      await status(page, "AbortError");
      assert.ok(await page.locator("#text").isDisabled());
    }, { pause: 200 });
  },
  async "a file that is not what the manifest promises is refused"() {
    await visit((page) => status(page, "not what its manifest promises"), { corrupt: { file: "text", at: 100_000 } });
  },
}, [], async () => {
  await browser.close();
  server.close();
});
