// Browsers as people have them: no driver listens. With one, Chromium reports every piece of data
// that arrives, which makes a download take up to twice as long.

import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import os from "node:os";
import path from "node:path";

import { chromiumPath } from "../test/browsers.mjs";
import { within } from "../test/report.mjs";
import { environment, screen } from "../test/webdriver.mjs";

const LIMIT_S = 300;
const FLAGS = [
  "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-default-apps", "--disable-extensions", "--no-first-run", "--password-store=basic",
  // As root, as in containers, there is no sandbox.
  "--no-sandbox",
];

/** How a browser is started with a page, with a folder for what it keeps; and what to do in the end. */
const BROWSERS = {
  chromium: async () => ({
    start: (url, profile) => spawn(chromiumPath(), [...FLAGS, `--user-data-dir=${profile}`, url], { stdio: "ignore" }),
    end: () => undefined,
  }),
  webkit: async () => {
    const program = miniBrowser();
    const { display, close } = await screen();
    return {
      start: (url) => spawn(program, ["--private", url], { stdio: "ignore", env: environment(display) }),
      end: close,
    };
  },
};

/** WebKitGTK's small browser, which lies where only its driver looks. */
function miniBrowser() {
  const places = "/usr/lib/*/webkit2gtk-4.*/MiniBrowser /usr/lib*/webkit2gtk-4.*/MiniBrowser /usr/libexec/webkit2gtk-4.*/MiniBrowser";
  const found = execFileSync("sh", ["-c", `ls ${places} 2>/dev/null || true`], { encoding: "utf8" }).split("\n")[0];
  if (!found) throw new Error(`there is no MiniBrowser of WebKitGTK (${places})`);
  return found;
}

const later = () => {
  let resolve;
  const promise = new Promise((r) => (resolve = r));
  return { promise, resolve };
};

/**
 * Opens pages, each in a browser of its own. A page is told where to ask for work: it posts what came
 * of the last piece (`{ value }` or `{ error }`, at first `null`) and is answered with the next.
 */
export async function undriven(name) {
  const { start, end } = await BROWSERS[name]();
  const turns = new Map();
  const running = new Set();
  process.once("exit", () => {
    running.forEach((browser) => browser.kill());
    end();
  });
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    response.setHeader("Access-Control-Allow-Origin", "*");
    turns.get(request.url)?.(JSON.parse(body), response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

  async function open(url) {
    const profile = await mkdtemp(path.join(os.tmpdir(), "bench-"));
    const way = `/${path.basename(profile)}`;
    let asked = later();
    turns.set(way, (result, response) => asked.resolve({ result, response }));
    const control = `http://localhost:${server.address().port}${way}`;
    const browser = start(`${url}?${control}`, profile);
    running.add(browser);
    const ended = new Promise((resolve) => browser.once("close", resolve).once("error", resolve));
    const turn = async () => {
      const crash = ended.then(() => Promise.reject(new Error(`the browser at ${url} has ended`)));
      return within(LIMIT_S, url, Promise.race([asked.promise, crash]));
    };
    await turn();
    return {
      pid: browser.pid,
      async run(...work) {
        const { response } = await turn();
        asked = later();
        response.end(JSON.stringify(work));
        const { error, value } = (await turn()).result;
        if (error !== undefined) throw new Error(error);
        return value;
      },
      async close() {
        turns.delete(way);
        running.delete(browser);
        browser.kill();
        await ended;
        await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
      },
    };
  }
  return { open, close: () => server.close() };
}
