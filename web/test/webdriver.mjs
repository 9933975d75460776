// Debian's WebKitGTK, driven: a small client of the W3C's WebDriver, since no package drives this one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createServer } from "node:net";

import { within } from "./report.mjs";

const START_S = 60;
/** The key that a visitor ends a query with. */
export const ENTER = "\ue007";
/** What a reference to an element is called in the protocol. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** A port that is free now. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A program that ends with this one, and with it all that it has started. */
function start(program, args, options) {
  const child = spawn(program, args, { ...options, detached: true });
  const kill = () => {
    try {
      process.kill(-child.pid);
    } catch {
      // it has ended, or never began
    }
  };
  process.once("exit", kill);
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => undefined);
  return { child, failed, kill };
}

/** A screen that is not there, for a browser that knows no other way to run unseen. */
export async function screen() {
  const { child, failed, kill } = start("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit").then(() => Promise.reject(new Error("Xvfb has ended")));
  ended.catch(() => undefined);
  const [number] = await within(START_S, "Xvfb", Promise.race([once(child.stdio[3], "data"), failed, ended]));
  return { display: `:${String(number).trim()}`, close: kill };
}

/** What a browser of WebKitGTK needs on a screen. */
export const environment = (display) => ({
  ...process.env,
  DISPLAY: display,
  GDK_BACKEND: "x11",
  // Safari shares memory between the threads of isolated pages; WebKitGTK does if it is told to.
  JSC_useSharedArrayBuffer: "1",
  // There is no accelerator to draw with, and none is needed.
  WEBKIT_DISABLE_DMABUF_RENDERER: "1",
  LIBGL_ALWAYS_SOFTWARE: "1",
  NO_AT_BRIDGE: "1",
});

/** The driver, for one browser at a time. */
export async function launchWebKit() {
  const { display, close } = await screen();
  const port = await freePort();
  const { failed, kill } = start("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], {
    env: environment(display), stdio: "ignore",
  });
  /** `fetch` would give up after five minutes. */
  const call = (method, path, body) => new Promise((resolve, reject) => {
    const json = body === undefined ? "" : JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(json) };
    request({ host: "127.0.0.1", port, method, path, headers }, async (response) => {
      try {
        let text = "";
        for await (const piece of response.setEncoding("utf8")) text += piece;
        const { value } = JSON.parse(text);
        if (response.statusCode === 200) resolve(value);
        else reject(new Error(`WebKit: ${value?.error}: ${value?.message}`));
      } catch (error) {
        reject(error);
      }
    }).on("error", reject).end(json);
  });
  const listening = async () => {
    for (;;) {
      const ready = await call("GET", "/status").then((status) => status.ready, () => false);
      if (ready) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await within(START_S, "WebKitWebDriver", Promise.race([listening(), failed]));

  return {
    /** A fresh visitor, with storage of its own, at `url`, once the page says that it is `ready`. */
    async open(url, ready = () => document.title === "ready") {
      const { sessionId, capabilities } = await call("POST", "/session", { capabilities: { alwaysMatch: {} } });
      const on = (method, path, body) => call(method, `/session/${sessionId}${path}`, body);
      await on("POST", "/timeouts", { script: 3_600_000 });
      const run = async (work, argument = null) => {
        const script = `const done = arguments[1];
          Promise.resolve(arguments[0]).then(${work}).then(
            (value) => done({ value }),
            (error) => done({ error: String(error?.message ?? error) + "\\n" + (error?.stack ?? "") }),
          );`;
        const { value, error } = await on("POST", "/execute/async", { script, args: [argument] });
        if (error !== undefined) throw new Error(error);
        return value ?? undefined;
      };
      await on("POST", "/url", { url });
      await run(`() => new Promise((resolve) => {
        const look = () => ((${ready})() ? resolve() : setTimeout(look, 20));
        look();
      })`);
      return {
        version: `WebKitGTK ${capabilities.browserVersion}`,
        run,
        /** Types into the element that `find` (run in the page) gives. */
        async type(find, text) {
          const element = await on("POST", "/execute/sync", { script: `return (${find})()`, args: [] });
          await on("POST", `/element/${element[ELEMENT]}/value`, { text });
        },
        close: () => on("DELETE", ""),
      };
    },
    close() {
      kill();
      close();
    },
  };
}
