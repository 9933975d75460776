// The same query by words, by meaning, and by both: what each finds first.

import { Catalogue, type Found, type Mode } from "clip-everywhere/catalogue";

import { byId, h, showError, status } from "./dom.js";
import { withModel } from "./model.js";

const MODES: [Mode, string][] = [["words", "Words"], ["vector", "Meaning"], ["hybrid", "Both"]];
/** Rows of the table. */
const SHOWN = 5;

let opened: Promise<Catalogue> | undefined;

function catalogue(): Promise<Catalogue> {
  const opening = (opened ??= Catalogue.open("./shop/"));
  opening.catch(() => (opened = undefined));
  return opening;
}

export function rankingsView(): void {
  const out = byId("rankings");
  const say = status("rankings");
  const box = byId<HTMLInputElement>("rankings-text");
  let turn = 0;

  async function run(): Promise<void> {
    const text = box.value.trim();
    if (text === "") return;
    const mine = (turn += 1);
    await withModel(say, async ({ clip }) => {
      const [shop, embedding] = [await catalogue(), await clip.embedText(text)];
      const found: Found[] = [];
      for (const [mode] of MODES) {
        const query = mode === "words" ? { text } : { text, embedding };
        found.push(await shop.find(query, { mode, limit: SHOWN }));
      }
      if (mine !== turn) return;
      say.replaceChildren(h("p", { class: "visually-hidden" }, `Three rankings of “${text}”.`));
      out.replaceChildren(table(text, found));
    });
  }

  byId<HTMLFormElement>("rankings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void run().catch((error: unknown) => showError(say, error));
  });
  for (const button of byId("rankings-examples").querySelectorAll("button")) {
    button.addEventListener("click", () => {
      box.value = button.textContent ?? "";
      byId<HTMLFormElement>("rankings-form").requestSubmit();
    });
  }
}

function table(text: string, found: Found[]): HTMLElement {
  const cell = ({ hits }: Found, row: number) => {
    const hit = hits[row];
    if (!hit) return h("td", { class: "fine" }, row === 0 ? "nothing found" : "");
    const score = hit.score === undefined ? "" : ` · cosine ${hit.score.toFixed(3)}`;
    return h("td", {}, hit.card.title ?? hit.id, h("span", { class: "fine" }, `${hit.card.brand ?? hit.id}${score}`));
  };
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Rankings" },
    h("table", { class: "rankings" },
      h("caption", {}, `The first ${SHOWN} for “${text}”. “Both” fuses the two rankings by reciprocal ranks; exact ids, titles and brands come first.`),
      h("thead", {}, h("tr", {}, h("td", {}), ...MODES.map(([, name], i) => h("th", { scope: "col" }, `${name} (${found[i]?.total ?? 0})`)))),
      h("tbody", {}, ...Array.from({ length: SHOWN }, (_, row) => h("tr", {},
        h("th", { scope: "row" }, row + 1), ...found.map((one) => cell(one, row)))))));
}
