// node screenshots.mjs SITE WORK DIR
//
// Pictures of the tools in light and dark, and on a phone.

import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";

import { idle, inspectSample, inspectText, openSite } from "./visit.mjs";

const [site, work, out] = process.argv.slice(2).map((folder) => path.resolve(folder));
await mkdir(out, { recursive: true });
const { samples } = JSON.parse(await readFile(path.join(site, "site.json"), "utf8"));
const moved = await readFile(path.join(work, "moved.json"), "utf8");
const { visit, close } = await openSite(site);

const searched = async (page) => {
  const done = page.evaluate(() => new Promise((resolve) => {
    document.querySelector("clip-search").addEventListener("clip-search-results", (e) => e.detail.by === "model" && resolve());
  }));
  const box = page.locator("clip-search input[type=search]");
  await box.fill("a red dress");
  await box.press("Enter");
  await done;
  await page.waitForTimeout(600);
};
const shots = {
  search: searched,
  inspect: async (page) => {
    await page.goto(`${page.url().split("#")[0]}#inspect`);
    await inspectSample(page, 4);
    await page.evaluate(() => document.querySelector("#inspection").scrollIntoView());
  },
  text: async (page) => {
    await page.goto(`${page.url().split("#")[0]}#inspect`);
    await inspectText(page, samples[0].caption);
    await page.evaluate(() => document.querySelector("#inspection").scrollIntoView());
  },
  compare: async (page) => {
    await page.goto(`${page.url().split("#")[0]}#compare`);
    await page.locator("[data-side=a]").getByRole("button", { name: "native, of a sample" }).click();
    await page.locator("[data-side=b] textarea").fill(moved);
    await page.locator("#comparison .verdict").waitFor();
    await page.evaluate(() => document.querySelector("#view-compare .sides").scrollIntoView());
  },
  matrix: async (page) => {
    await page.goto(`${page.url().split("#")[0]}#matrix`);
    await page.locator("#matrix-example").click();
    await page.waitForFunction(() => document.querySelectorAll("#matrix tbody tr").length === 8);
    await page.evaluate(() => document.querySelector("#view-matrix .inputs").scrollIntoView());
  },
  classify: async (page) => {
    await page.goto(`${page.url().split("#")[0]}#classify`);
    await page.locator("#classify-example").click();
    await page.locator("#classification tbody tr").first().waitFor();
  },
  rankings: async (page) => {
    await page.goto(`${page.url().split("#")[0]}#rankings`);
    await page.locator("#rankings-examples button").first().click();
    await page.locator("#rankings tbody tr").first().waitFor();
  },
  report: async (page) => {
    await page.goto(`${page.url().split("#")[0]}#report`);
    await page.locator("#report-run").click();
    await page.locator("#report .verdict").waitFor();
  },
};
const screens = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 960 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 960 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};
for (const [screen, options] of Object.entries(screens)) {
  for (const [name, arrange] of Object.entries(shots)) {
    await visit(options, async (page) => {
      await arrange(page);
      await idle(page);
      await page.evaluate(() => document.fonts.ready);
      const file = path.join(out, `${name}-${screen}.png`);
      await page.screenshot({ path: file });
      console.log(file);
    });
  }
}
await close();
