// Memory of a browser's pages, from Linux's /proc.

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

/** Process of the browser that this program launched last. */
export const lastBrowser = () =>
  Number(execFileSync("pgrep", ["-n", "-P", String(process.pid), "-f", "chrom"], { encoding: "utf8" }));

/** Resident memory (MB) of every renderer below process `parent`: at most so far, and now. */
export function renderers(parent) {
  const children = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const renderer = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer");
      const mb = (field) => (renderer ? Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0) / 1000 : 0);
      const ppid = /^PPid:\s+(\d+)/m.exec(status)[1];
      children.set(ppid, [...(children.get(ppid) ?? []), { pid, peak: mb("VmHWM"), now: mb("VmRSS") }]);
    } catch {
      // it has ended
    }
  }
  const below = (pid) => (children.get(String(pid)) ?? []).flatMap((c) => [c, ...below(c.pid)]);
  return below(parent);
}

/** That of the largest page. */
export const memory = (parent) => renderers(parent).reduce((a, b) => (b.peak > a.peak ? b : a), { peak: 0, now: 0 });
