// Cosine similarity of images and texts, each with each.

import type { Inspector } from "clip-everywhere/inspect";

import { accept, byId, h, showError, status } from "./dom.js";
import { withModel } from "./model.js";
import { imageAt, site } from "./site.js";

interface Item {
  label: string;
  /** Address of the image; texts have none. */
  thumbnail?: string;
  vector: Float32Array;
}

/** More would not fit a page. */
const MOST = 24;

export function matrixView(): void {
  const items: Item[] = [];
  const out = byId("matrix");
  const say = status("matrix");

  async function add(inputs: (string | { file: Blob; name: string })[]): Promise<void> {
    await withModel(say, async ({ clip }) => {
      const problems: string[] = [];
      for (const [index, input] of inputs.entries()) {
        if (items.length >= MOST) {
          problems.push(`${MOST} are the most that fit`);
          break;
        }
        say.replaceChildren(h("p", { class: "fine" }, `${index + 1} of ${inputs.length} …`));
        try {
          items.push(await embed(clip, input));
        } catch (error) {
          problems.push(`${typeof input === "string" ? input : input.name}: ${error instanceof Error ? error.message : String(error)}`);
        }
        draw();
      }
      if (problems.length > 0) showError(say, new Error(problems.join("; ")));
      else say.replaceChildren(h("p", { class: "visually-hidden" }, `${items.length} pictures and texts compared.`));
    });
  }

  function remove(index: number): void {
    const [gone] = items.splice(index, 1);
    if (gone?.thumbnail) URL.revokeObjectURL(gone.thumbnail);
    draw();
    (out.querySelectorAll<HTMLElement>("tbody button")[Math.min(index, items.length - 1)] ?? byId("matrix-text")).focus();
  }

  const draw = () => out.replaceChildren(...(items.length > 0 ? [table(items, remove)] : []));
  const files = (list: File[]) => void add(list.map((file) => ({ file, name: file.name })));

  accept(document.querySelector<HTMLElement>("[data-drop=matrix]")!, () => !byId("view-matrix").hidden, files);
  const input = byId<HTMLInputElement>("matrix-file");
  input.addEventListener("change", () => {
    files([...(input.files ?? [])]);
    input.value = "";
  });
  const area = byId<HTMLTextAreaElement>("matrix-text");
  byId<HTMLFormElement>("matrix-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const texts = area.value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
    area.value = "";
    if (texts.length > 0) void add(texts);
  });
  byId("matrix-clear").addEventListener("click", () => {
    while (items.length > 0) remove(items.length - 1);
    say.replaceChildren();
  });
  byId("matrix-example").addEventListener("click", async () => {
    try {
      const samples = (await site()).samples.slice(0, 4);
      const images = await Promise.all(samples.map(async (s) => ({ file: await imageAt(s.image), name: s.caption })));
      await add([...images, ...samples.map((s) => s.caption)]);
    } catch (error) {
      showError(say, error);
    }
  });
}

async function embed(clip: Inspector["clip"], input: string | { file: Blob; name: string }): Promise<Item> {
  if (typeof input === "string") return { label: input, vector: (await clip.embedText(input)).normalized };
  const { normalized } = await clip.embedImage(input.file);
  return { label: input.name, thumbnail: URL.createObjectURL(input.file), vector: normalized };
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

function table(items: Item[], remove: (index: number) => void): HTMLElement {
  const values = items.map((a) => items.map((b) => dot(a.vector, b.vector)));
  const others = values.flatMap((row, i) => row.filter((_, j) => i !== j));
  const [low, high] = [Math.min(...others), Math.max(...others)];
  const name = ({ label, thumbnail }: Item) => [
    thumbnail ? h("img", { src: thumbnail, alt: "", width: 48, height: 60 }) : null,
    h("span", { class: "label" }, thumbnail ? label.split("/").at(-1) ?? "" : `“${label}”`),
  ];
  const cell = (value: number, i: number, j: number) => {
    if (i === j) return h("td", { class: "self" }, "1");
    const best = items.length > 2 && value === Math.max(...values[i]!.filter((_, k) => k !== i));
    const td = h("td", { class: best ? "best" : undefined }, value.toFixed(3), best ? h("span", { class: "visually-hidden" }, " (closest)") : null);
    // Never so dark that the number could not be read.
    td.style.setProperty("--heat", `${high > low ? (42 * (value - low)) / (high - low) : 0}%`);
    return td;
  };
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Similarity matrix" },
    h("table", { class: "matrix" },
      h("caption", {}, "Cosine similarity; the darker, the closer. The closest of each row is framed."),
      h("thead", {}, h("tr", {}, h("td", {}), ...items.map((item) => h("th", { scope: "col" }, ...name(item))))),
      h("tbody", {}, ...items.map((item, i) => h("tr", {},
        h("th", { scope: "row" }, h("div", { class: "rowhead" }, ...name(item),
          h("button", { type: "button", class: "remove", "aria-label": `Remove ${item.label}`, click: () => remove(i) }, "×"))),
        ...items.map((_, j) => cell(values[i]?.[j] ?? 0, i, j)))))));
}
