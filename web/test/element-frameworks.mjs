// node element-frameworks.mjs FOLDER [NAME …]
//
// <clip-search> in React 19 and Vue 3, built by Vite from frameworks/, in Chromium; their types; and on
// React's server.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { build } from "vite";

import { launchChromium } from "./browsers.mjs";
import { web } from "./compare.mjs";
import { report } from "./report.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const project = path.join(import.meta.dirname, "frameworks");
const outDir = path.join(folder, "frameworks");
await mkdir(outDir, { recursive: true });
await build({ configFile: path.join(project, "vite.config.js"), build: { outDir } });
const server = await serve(
  { "/": outDir, "/shop/": path.join(folder, "shop"), "/model/": path.join(folder, "packed/second_shape") },
  { policy: "style-src 'self'", csp: false },
);
const browser = await launchChromium();

/** A page of the project, without errors. */
async function visit(name, work) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !message.location().url.endsWith("/favicon.ico") && errors.push(message.text()));
  try {
    await page.goto(`${server.origin}/${name}.html`);
    await page.waitForFunction(() => document.title === "ready");
    const last = async (find) => (await page.waitForFunction(find)).jsonValue();
    await work(page, last);
    assert.deepEqual(errors, []);
  } finally {
    await page.close();
  }
}

/** What both frameworks do with it. */
async function used(page, last) {
  const own = page.locator("#component");
  const box = own.locator("input.query");
  await box.fill("ruevane");
  assert.deepEqual(await last(() => window.seen.find(([n, text]) => n === 5 && text === "ruevane")), [5, "ruevane", 5]);
  assert.equal(await own.locator(".submit span").first().textContent(), "Suchen");
  assert.equal(await own.getAttribute("class"), "shop");
  assert.deepEqual(await own.evaluate((e) => [e.limit, e.recent, e.filters]), [5, false, { availability: ["in_stock"] }]);
  await page.getByRole("button", { name: "seven", exact: true }).click();
  assert.deepEqual(await last(() => window.seen.find(([n, text]) => n === 7 && text === "ruevane")), [7, "ruevane", 7]);
  await page.getByRole("button", { name: "blue", exact: true }).click();
  await last(() => window.seen.find(([n, text]) => n === 7 && text === "blue"));
  assert.equal(await box.inputValue(), "blue");
  await page.getByRole("button", { name: "toggle", exact: true }).click();
  assert.equal(await own.count(), 0);
  await page.getByRole("button", { name: "toggle", exact: true }).click();
  await own.locator(".card").first().waitFor();
}

const tests = {
  async "React 19: properties, events, ref, StrictMode; the component and the tag"() {
    await visit("react", async (page, last) => {
      await used(page, last);
      await page.getByRole("button", { name: "ref", exact: true }).click();
      assert.equal(await page.evaluate(() => window.element === document.querySelector("#component")), true);
      await page.locator("#component .card").first().click();
      assert.equal(typeof (await last(() => window.seen.find((seen) => typeof seen === "string"))), "string");
      const tag = page.locator("#tag");
      assert.equal(await tag.locator(".submit span").first().textContent(), "Chercher");
      await tag.locator("input.query").fill("ruevane");
      assert.deepEqual(await last(() => window.seen.find(([name]) => name === "tag")), ["tag", 3]);
    });
  },
  async "Vue 3: properties and events"() {
    await visit("vue", used);
  },
  async "types of React and Vue: what is right compiles, what is wrong does not"() {
    const tsc = path.join(web, "node_modules/typescript/bin/tsc");
    try {
      execFileSync(process.execPath, [tsc, "-p", project], { encoding: "utf8" });
    } catch ({ stdout }) {
      assert.fail(stdout);
    }
  },
  async "React's server writes the tag"() {
    const script = `
      import { createElement } from "react";
      import { renderToString } from "react-dom/server";
      import { ClipSearch } from "clip-everywhere/react";
      export const html = renderToString(createElement(ClipSearch, { index: "/shop/", limit: 5, recent: true, preload: undefined, labels: {}, onResults() {} }));
    `;
    const { output } = await build({
      configFile: path.join(project, "vite.config.js"), logLevel: "error",
      plugins: [{ name: "entry", resolveId: (id) => (id === "entry" ? id : undefined), load: (id) => (id === "entry" ? script : undefined) }],
      ssr: { noExternal: true },
      build: { ssr: true, write: false, rolldownOptions: { input: "entry" } },
    });
    const { writeFile } = await import("node:fs/promises");
    const file = path.join(folder, "frameworks", "server.mjs");
    await writeFile(file, output[0].code);
    const { html } = await import(file);
    assert.equal(html, '<clip-search index="/shop/" limit="5" recent=""></clip-search>');
  },
};

await report(tests, only, async () => {
  await browser.close();
  server.close();
});
