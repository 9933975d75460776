// Memory of Chromium's pages, from Linux's /proc.

import { readFileSync, readdirSync } from "node:fs";

/** Process of a browser that Playwright drives: it names it itself. */
export async function processOf(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return processInfo.find(({ type }) => type === "browser").id;
}

const status = (pid) => readFileSync(`/proc/${pid}/status`, "utf8");
/** A field of it, MB. */
const mb = (text, field) => (Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1024) / 1e6;

/** Resident memory (MB) of every renderer below process `parent`: at most so far, and now. */
function renderers(parent) {
  const children = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const text = status(pid);
      const renderer = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer");
      const ppid = /^PPid:\s+(\d+)/m.exec(text)[1];
      const peak = renderer ? mb(text, "VmHWM") : 0;
      children.set(ppid, [...(children.get(ppid) ?? []), { pid, peak, now: renderer ? mb(text, "VmRSS") : 0 }]);
    } catch {
      // it has ended
    }
  }
  const below = (pid) => (children.get(String(pid)) ?? []).flatMap((c) => [c, ...below(c.pid)]);
  return below(parent);
}

/** That of the largest page. */
export const memory = (parent) => renderers(parent).reduce((a, b) => (b.peak > a.peak ? b : a), { peak: 0, now: 0 });

/**
 * Watches the pages of a browser until the returned function is called, which gives the most (MB)
 * that any had for itself: what Chromium's task manager shows as memory footprint. Resident memory
 * also counts pages of the browser's program file, which all its processes share.
 */
export function watchOwn(parent) {
  const pages = renderers(parent).filter(({ peak }) => peak > 0);
  let most = 0;
  const timer = setInterval(() => {
    for (const { pid } of pages) {
      try {
        const text = status(pid);
        most = Math.max(most, mb(text, "RssAnon") + mb(text, "VmSwap"));
      } catch {
        // it has ended
      }
    }
  }, 5);
  return () => {
    clearInterval(timer);
    return most;
  };
}
