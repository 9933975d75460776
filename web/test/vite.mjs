// node vite.mjs FOLDER
//
// A page built with Vite from the package, as a storefront would, loads a model and embeds; and the
// examples of ../examples search the sample shop.

import assert from "node:assert/strict";
import { cp, mkdir, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { build } from "vite";

import { launchChromium } from "./browsers.mjs";
import { root, web } from "./compare.mjs";
import { serve } from "./server.mjs";

const folder = path.resolve(process.argv[2]);
const app = path.join(folder, "vite");
await rm(app, { recursive: true, force: true });
await mkdir(path.join(app, "node_modules"), { recursive: true });
await symlink(web, path.join(app, "node_modules/clip-everywhere"));
await writeFile(path.join(app, "index.html"), '<!doctype html><script type="module" src="/main.js"></script>');
await writeFile(path.join(app, "main.js"), `
import { Clip } from "clip-everywhere";
window.run = async (threads) => {
  const clip = await Clip.load({ model: "/models/second_shape/", threads });
  const text = await clip.embedText("red floral dress");
  const image = await clip.embedImage("/corpus/jpeg/photo-420-q75.jpg");
  clip.dispose();
  return { info: clip.info, text: text.normalized.length, image: image.exact };
};
document.title = "ready";
`);
await build({ root: app, logLevel: "warn", build: { outDir: "dist", emptyOutDir: true, assetsInlineLimit: 0 } });

const server = await serve(
  { "/": path.join(app, "dist"), "/models/": path.join(folder, "packed"), "/corpus/": path.join(root, "tests/corpus") },
  { isolated: true },
);
const browser = await launchChromium();
try {
  const page = await browser.newPage();
  page.on("console", (message) => message.type() === "error" && console.error(message.text()));
  await page.goto(`${server.origin}/index.html`);
  await page.waitForFunction(() => document.title === "ready");
  for (const threads of [1, 2]) {
    const { info, text, image } = await page.evaluate((n) => window.run(n), threads);
    assert.deepEqual([info.kernel, info.threads, text, image], ["wasm-relaxed", threads, 96, true]);
  }
} finally {
  server.close();
}

const example = path.join(folder, "example");
await rm(example, { recursive: true, force: true });
await cp(path.join(web, "examples/vite"), example, { recursive: true });
await mkdir(path.join(example, "node_modules"));
await symlink(web, path.join(example, "node_modules/clip-everywhere"));
await symlink(path.join(web, "node_modules/vite"), path.join(example, "node_modules/vite"));
await build({ root: example, logLevel: "warn" });

const content = { "/shop/": path.join(folder, "shop"), "/model/": path.join(folder, "packed/second_shape") };
const styles = "style-src 'self'";
for (const [name, mounts] of Object.entries({
  vite: { "/": path.join(example, "dist") },
  static: { "/": path.join(web, "examples/static"), "/clip/": path.join(web, "dist") },
})) {
  const host = await serve({ ...content, ...mounts }, { policy: styles });
  try {
    const page = await browser.newPage();
    const problems = [];
    page.on("console", (message) => {
      // The examples have no icon.
      const icon = message.location().url.endsWith("/favicon.ico");
      if (message.type() === "error" && !icon) problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(`${host.origin}/index.html`);
    await page.getByRole("searchbox", { name: "Search" }).fill("red floral dress");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await page.getByText(/^\d+ products$/).waitFor();
    assert.equal(await page.getByRole("listitem").count(), 24);
    assert.equal(await page.getByRole("listitem").first().locator("img").evaluate(async (img) => (await img.decode(), img.naturalWidth)), 240);
    assert.deepEqual(problems, [], name);
  } finally {
    host.close();
  }
}
await browser.close();

// Bundlers for browsers stumble over modules of Node that they can see.
for (const name of (await readdir(path.join(web, "dist"))).filter((name) => name.endsWith(".js"))) {
  const script = await readFile(path.join(web, "dist", name), "utf8");
  assert.doesNotMatch(script, /(import\(|from)\s*(\/\*.*?\*\/)?\s*["'`]node:/, name);
}
console.log("test result: ok. 5 passed; 0 failed; 0 ignored");
