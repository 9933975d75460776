// Debian's Chromium, Firefox and WebKitGTK, driven.

import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

import { within } from "./report.mjs";
import { launchWebKit } from "./webdriver.mjs";

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

/** Chromium's program. */
export const chromiumPath = () => which("chromium", "google-chrome", "chromium-browser");

export async function launchChromium(args = []) {
  return chromium.launch({
    executablePath: chromiumPath(),
    // As root, as in containers, there is no sandbox.
    args: ["--no-sandbox", ...args],
  });
}

/** Flags of Chromium for WebGPU in software, on a device that does not fuse. */
export const SWIFTSHADER = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"];

/** Ends a browser, by force where it does not answer: one that hangs may not end either. */
const end = (name, close, force) => within(30, `${name} is to end`, close()).catch(force);

/** Ends a Chromium whose process is known. */
export const endChromium = (browser, pid) =>
  end("Chromium", () => browser.close(), () => process.kill(pid, "SIGKILL"));

const launchFirefox = () =>
  puppeteer.launch({
    browser: "firefox", executablePath: which("firefox-esr", "firefox"), headless: true,
    // Callers have limits of their own.
    protocolTimeout: 0,
  });

/**
 * Opens `url` in a browser of its own, and waits until the page says that it is `ready`: `version`,
 * `run(function, argument)` in the page, `close()`.
 */
export async function openPage(name, url, ready = () => document.title === "ready") {
  if (name === "webkit") return openWebKit(url, ready);
  const browser = await (name === "chromium" ? launchChromium() : launchFirefox());
  const version = name === "chromium" ? `Chromium ${browser.version()}` : (await browser.version()).replace("/", " ");
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction(ready);
  return {
    version,
    run: (work, argument) => page.evaluate(work, argument),
    close: () => end(version, () => browser.close(), () => browser.process?.()?.kill("SIGKILL")),
  };
}

async function openWebKit(url, ready) {
  const browser = await launchWebKit();
  try {
    const { version, run, close } = await browser.open(url, ready);
    const ended = () => end(version, close, () => undefined).finally(() => browser.close());
    return { version, run, close: ended };
  } catch (error) {
    browser.close();
    throw error;
  }
}
