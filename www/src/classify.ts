// Zero-shot classification: which of a few labels fits a picture best.

import { accept, byId, h, showError, status } from "./dom.js";
import { withModel } from "./model.js";
import { imageAt, site } from "./site.js";

/** More do not fit a page. */
const MOST = 24;

export function classifyView(): void {
  const out = byId("classification");
  const say = status("classify");
  const labels = byId<HTMLTextAreaElement>("classify-labels");
  const template = byId<HTMLInputElement>("classify-template");
  let picture: { file: Blob; name: string } | undefined;
  /** Only the answer to the last question is shown. */
  let turn = 0;

  async function run(): Promise<void> {
    if (!picture) return;
    const { file, name } = picture;
    const names = [...new Set(labels.value.split("\n").map((line) => line.trim()).filter((line) => line !== ""))];
    const mine = (turn += 1);
    if (names.length === 0 || names.length > MOST) {
      showError(say, new Error(`write one to ${MOST} labels, one per line`));
      return;
    }
    await withModel(say, async ({ clip }) => {
      say.replaceChildren(h("p", { class: "fine" }, "Comparing …"));
      const sentence = template.value.trim();
      const found = await clip.classify(file, names, sentence === "" ? {} : { template: sentence });
      if (mine !== turn) return;
      const best = found[0];
      say.replaceChildren(h("p", { class: "visually-hidden" }, best ? `Most likely: ${best.label}` : ""));
      out.replaceChildren(answer(file, name, found));
    });
  }

  const take = ([file]: File[]) => {
    if (!file) return;
    picture = { file, name: file.name };
    void run();
  };
  accept(document.querySelector<HTMLElement>("[data-drop=classify]")!, () => !byId("view-classify").hidden, take);
  const input = byId<HTMLInputElement>("classify-file");
  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    input.value = "";
  });
  byId("classify-example").addEventListener("click", async () => {
    try {
      const [sample] = (await site()).samples;
      if (!sample) return;
      picture = { file: await imageAt(sample.image), name: sample.title };
      await run();
    } catch (error) {
      showError(say, error);
    }
  });
  byId<HTMLFormElement>("classify-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (picture) void run();
    else byId("classify-example").click();
  });
}

function answer(file: Blob, name: string, found: { label: string; score: number }[]): HTMLElement {
  const image = h("img", { alt: name, width: 160, height: 200, src: URL.createObjectURL(file) });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  return h("div", { class: "card classified" }, image,
    h("table", {},
      h("caption", {}, "The model's certainty among these labels; they add up to 1."),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Label"), h("th", { scope: "col" }, "Certainty"), h("td", {}))),
      h("tbody", {}, ...found.map(({ label, score }) => h("tr", {},
        h("th", { scope: "row" }, label),
        h("td", {}, score.toFixed(3)),
        h("td", {}, h("meter", { min: 0, max: 1, value: score, "aria-label": `${label}: ${score.toFixed(3)}` })))))));
}
