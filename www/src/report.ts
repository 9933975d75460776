// What this browser can do, for an issue.

import type { Inspector } from "clip-everywhere/inspect";
import { type Run, compare, parseTraces } from "clip-everywhere/inspect-compare";

import { byId, bytes, copy, h, status } from "./dom.js";
import { modelWarnings, withModel } from "./model.js";
import { imageAt, nativeTraces, site } from "./site.js";

declare const __VERSION__: string;

type Rows = [name: string, value: string][];

export function reportView(): void {
  const out = byId("report");
  const say = status("report");
  const copyButton = byId<HTMLButtonElement>("report-copy");
  let markdown = "";
  copyButton.addEventListener("click", () => void copy(markdown, copyButton));
  byId("report-run").addEventListener("click", () => void withModel(say, async (inspector) => {
    say.replaceChildren(h("p", { class: "fine" }, "Checking …"));
    const check = await selfCheck(inspector);
    const rows: Rows = [["Self-check", check.words], ["Digest of the check", check.digest], ...facts(inspector), ...await features()];
    markdown = ["| what | value |", "|---|---|", ...rows.map(([name, value]) => `| ${name} | ${value.replaceAll("|", "\\|")} |`), ""].join("\n");
    const area = h("textarea", { readonly: true, rows: rows.length + 2, "aria-label": "The report as Markdown", spellcheck: "false" });
    area.value = markdown;
    out.replaceChildren(
      h("div", { class: `verdict ${check.equal ? "equal" : "differ"}` },
        h("span", { class: "mark", "aria-hidden": "true" }, check.equal ? "=" : "≠"),
        h("div", {}, h("h2", {}, check.words), h("p", {}, check.more))),
      h("section", { class: "card", "aria-labelledby": "facts-title" }, h("h3", { id: "facts-title" }, "This browser"),
        h("dl", { class: "facts" }, ...rows.slice(1).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))),
      h("details", { class: "card" }, h("summary", {}, "As Markdown"), area),
    );
    copyButton.hidden = false;
    say.replaceChildren(h("p", { class: "visually-hidden" }, check.words));
  }));
}

interface Check {
  equal: boolean;
  words: string;
  more: string;
  /** SHA-256 over the digests of all stages. */
  digest: string;
}

/** An image and a text against what the native program made of them when this site was built. */
async function selfCheck(inspector: Inspector): Promise<Check> {
  const { image, text } = (await site()).check;
  const runs = [
    (await inspector.image(await imageAt(image), image)).run,
    (await inspector.text(text)).run,
  ];
  const native = parseTraces(await nativeTraces()).runs;
  const results = runs.map((run) => {
    const known = native.find((other) => other.kind === run.kind);
    return known && compare(run, known);
  });
  const stages = runs.reduce((sum, run) => sum + (run.trace?.length ?? 0), 0);
  const digest = await overall(runs);
  const bad = results.find((result) => result?.verdict !== "equal");
  if (results.every((result) => result?.verdict === "equal")) {
    return {
      equal: true, digest, words: `Equal to the native program in all ${stages} stages`,
      more: "One picture and one text, compared with what the native program wrote when this site was built.",
    };
  }
  return {
    equal: false, digest, words: bad?.sentence ?? "The native program's result of this check is missing",
    more: bad?.cause ?? "Build the site again with `cargo xtask www`.",
  };
}

async function overall(runs: Run[]): Promise<string> {
  const lines = runs.flatMap((run) => (run.trace ?? []).map((stage) => `${run.kind} ${stage.name} ${stage.sha256}\n`));
  if (!globalThis.crypto?.subtle) return "not available: the page is not served over https";
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("")));
  return Array.from(new Uint8Array(hash, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function facts({ clip }: Inspector): Rows {
  const { model, revision, weights, numerics, preprocessing, kernel, threads, memory, dimensions } = clip.info;
  return [
    ["Package", `clip-everywhere ${__VERSION__}, numerics ${numerics}`],
    ["Model", `${model}${revision ? `, revision ${revision}` : ""}, ${dimensions} dimensions`],
    ["Digest of the weights", weights],
    ["Preprocessing", preprocessing],
    ["Kernel path", kernel],
    ["Threads in use", String(threads)],
    ["Memory of the model", bytes(memory)],
    ...modelWarnings().map((warning): [string, string] => ["Warning", warning]),
  ];
}

/** `(module (func (result v128) f32x4.relaxed_madd (…) (…) (…)))` */
const RELAXED = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 0x0a, 0x13, 1, 0x11, 0,
  0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x85, 0x02, 0x0b,
]);

async function features(): Promise<Rows> {
  const yes = (is: boolean) => (is ? "yes" : "no");
  const estimate = await navigator.storage?.estimate?.().catch(() => undefined);
  const opfs = await navigator.storage?.getDirectory?.().then(() => true, () => false);
  const { deviceMemory } = navigator as { deviceMemory?: number };
  return [
    ["Browser", navigator.userAgent],
    ["Processors", `${navigator.hardwareConcurrency || "not told"}${deviceMemory ? `, ${deviceMemory} GB of memory or more` : ""}`],
    ["Relaxed SIMD", yes(WebAssembly.validate(RELAXED))],
    ["Shared memory (threads)", yes(typeof SharedArrayBuffer !== "undefined")],
    ["Cross-origin isolated", yes(globalThis.crossOriginIsolated === true)],
    ["Private file system (OPFS)", yes(opfs === true)],
    ["Storage", estimate?.quota ? `${bytes(estimate.usage ?? 0)} of ${bytes(estimate.quota)} used` : "not told"],
    ["Screen", `${innerWidth} × ${innerHeight}, ${devicePixelRatio} device pixels each`],
  ];
}
