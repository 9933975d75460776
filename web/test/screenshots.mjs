// node screenshots.mjs FOLDER DIR [NAME …]
//
// Pictures of <clip-search> at 360, 768 and 1280 pixels, in light and dark, to be looked at.

import { mkdir } from "node:fs/promises";
import path from "node:path";

const [folder, out, ...only] = process.argv.slice(2);
// What the shop's helper reads.
process.argv.splice(2, Infinity, folder);
const { close, faults, mounts, visit } = await import("./shop.mjs");
// The shop of the built-in model, for which meaning means something.
mounts["/find/"] = path.join(folder, "find");
await mkdir(out, { recursive: true });

/** States, and how a visitor comes to them. */
const shots = {
  results: async (page, { type, event }) => {
    await type("red striped dress");
    await event("results", "model");
  },
  filters: async (page, { type, event, inside, count }) => {
    await type("clothing");
    await event("results", "model");
    const narrow = await page.getByRole("button", { name: /^Filters/ }).isVisible();
    if (narrow) await page.getByRole("button", { name: /^Filters/ }).click();
    await inside("summary").nth(1).click();
    const after = await count();
    await inside("details").nth(1).getByRole("checkbox").first().check();
    await event("results", "model", after);
  },
  first: async (page, { type, event, inside }) => {
    faults.stall = "/models/";
    await type("dress");
    await event("results", "words");
    await inside(".progress").waitFor();
  },
  skeletons: async (page, { type, inside }) => {
    faults.stall = "/find/";
    await type("dress");
    await inside(".progress").waitFor();
    await page.waitForTimeout(200);
  },
  similar: async (page, { type, event, count }) => {
    await type("dress");
    await event("results", "model");
    const after = await count();
    await page.getByRole("button", { name: /^Similar to/ }).first().click();
    await event("results", "model", after);
  },
  more: async (page, { type, event, inside }) => {
    await type("clothing");
    await event("results", "model");
    await inside(".more").scrollIntoViewIfNeeded();
  },
  nothing: async (page, { type, inside }) => {
    await type("qqqxz");
    await page.waitForFunction(() => window.events.some((e) => e.name === "results"));
    await inside(".line").waitFor();
  },
  recent: async (page, { type, event, inside }) => {
    await type("red dress");
    await event("results");
    await inside("input.query").fill("");
  },
  error: async (page, { type, event }) => {
    faults.refuse = "/find/";
    await type("dress");
    await event("error");
  },
};
const attributes = { nothing: { mode: "words" }, recent: { recent: "", mode: "words" } };
for (const [width, height] of [[360, 640], [768, 1024], [1280, 900]]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [name, arrange] of Object.entries(shots)) {
      if (only.length > 0 && !only.includes(name)) continue;
      const context = {
        viewport: { width, height }, colorScheme, reducedMotion: "reduce",
        ...(width < 700 ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {}),
      };
      await visit(async (page, helpers) => {
        await arrange(page, helpers);
        await page.waitForTimeout(300);
        const file = path.join(out, `${name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path: file });
        console.log(file);
        delete faults.stall;
      }, { context, attributes: { index: "/find/", model: "/models/tiny/", mode: "hybrid", ...attributes[name] } }).catch((error) => console.log(`${name} ${width}: ${error.message}`));
    }
  }
}
await close();
