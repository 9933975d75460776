// A visitor of the built site in Chromium.

import assert from "node:assert/strict";

import { launchChromium } from "../../web/test/browsers.mjs";
import { serve } from "./serve.mjs";

/** `flags` are Chromium's. */
export async function openSite(folder, flags = []) {
  const server = await serve(folder);
  const browser = await launchChromium(flags);

  /** A fresh visitor, who sees no errors and asks no other host for anything. */
  async function visit(options, work) {
    const context = await browser.newContext({
      colorScheme: "light", viewport: { width: 1280, height: 900 }, reducedMotion: "reduce",
      permissions: ["clipboard-read", "clipboard-write"], ...options,
    });
    const [foreign, errors] = [[], []];
    context.on("request", (request) => {
      if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(server.url)) foreign.push(request.url());
    });
    context.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    context.on("weberror", (error) => errors.push(error.error().message));
    try {
      const page = await context.newPage();
      await page.goto(`${server.url}${options.hash ?? ""}`);
      await page.waitForFunction(() => document.querySelector("nav [aria-current]"));
      await work(page, context);
      assert.deepEqual(foreign, [], "requests to other addresses");
      assert.deepEqual(options.expectErrors ? [] : errors, [], "errors in the console");
    } finally {
      await context.close();
    }
  }
  return {
    visit, server,
    close: async () => {
      await browser.close();
      server.close();
    },
  };
}

/** Inspects the sample with that number and waits for the result. */
export async function inspectSample(page, index = 0) {
  const sample = page.locator("#inspect-samples button").nth(index);
  const name = await sample.locator("img").getAttribute("src");
  await sample.click();
  await page.locator("#inspection").getByRole("heading", { name, exact: true }).waitFor();
  await idle(page);
}

export async function inspectText(page, text) {
  await page.locator("#inspect-text").fill(text);
  await page.locator("#inspect-text").press("Enter");
  await page.locator("#inspection .chips").waitFor();
  await idle(page);
}

export const idle = (page) => page.waitForFunction(() => !document.querySelector("[aria-busy]"));
