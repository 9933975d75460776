// Debian's Chromium and Firefox, driven.

import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

const which = (...names) => {
  for (const name of names) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // the next one
    }
  }
  throw new Error(`there is no ${names.join(" or ")} on this machine`);
};

export async function launchChromium(args = []) {
  return chromium.launch({
    executablePath: which("chromium", "google-chrome", "chromium-browser"),
    // As root, as in containers, there is no sandbox.
    args: ["--no-sandbox", ...args],
  });
}

/** Something with `open(url)`, whose pages have `run(function, argument)`, and `close()`. */
export async function openBrowser(name) {
  if (name === "chromium") {
    const browser = await launchChromium();
    return {
      version: `Chromium ${browser.version()}`,
      async open(url) {
        const page = await browser.newPage();
        await page.goto(url);
        await page.waitForFunction(() => document.title === "ready");
        return { run: (work, argument) => page.evaluate(work, argument), close: () => page.close() };
      },
      close: () => browser.close(),
    };
  }
  const browser = await puppeteer.launch({
    browser: "firefox", executablePath: which("firefox-esr", "firefox"), headless: true,
    // A slow machine may need minutes for a whole corpus.
    protocolTimeout: 20 * 60_000,
  });
  return {
    version: (await browser.version()).replace("/", " "),
    async open(url) {
      const page = await browser.newPage();
      await page.goto(url);
      await page.waitForFunction(() => document.title === "ready");
      return { run: (work, argument) => page.evaluate(work, argument), close: () => page.close() };
    },
    close: () => browser.close(),
  };
}
