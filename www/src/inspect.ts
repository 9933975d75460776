// The inspector: every stage of one image or text.

import { type Decoder, type Inspection, type Run, traceJson } from "clip-everywhere/inspect";

import { chart } from "./chart.js";
import { accept, byId, bytes, copy, digest, download, h, milliseconds, showError, status } from "./dom.js";
import { modelWarnings, useGpu, withModel } from "./model.js";
import { imageAt, site } from "./site.js";

export interface InspectView {
  image(file: Blob, name: string): Promise<void>;
  last(): Run | undefined;
  onCompare(handler: (run: Run) => void): void;
}

export function inspectView(): InspectView {
  const out = byId("inspection");
  const say = status("inspect");
  let last: Inspection | undefined;
  let compare: ((run: Run) => void) | undefined;
  let newest = 0;

  async function show(work: (inspector: import("clip-everywhere/inspect").Inspector) => Promise<Inspection>): Promise<void> {
    const mine = ++newest;
    out.setAttribute("aria-busy", "true");
    await withModel(say, async (inspector) => {
      const found = await work(inspector);
      // Of two at a time the later one counts.
      if (mine !== newest) return;
      last = found;
      out.replaceChildren(...result(found, inspector.clip.info.memory, () => compare?.(found.run)));
      say.replaceChildren(h("p", { class: "visually-hidden" }, `Done: ${found.run.trace?.length ?? 0} stages.`));
    });
    if (mine === newest) out.removeAttribute("aria-busy");
  }

  const decoder = (): Decoder =>
    chosen("decoder") === "browser" ? "browser" : "own";
  let shown: { file: Blob; name: string } | undefined;
  const image = (file: Blob, name: string) => {
    shown = { file, name };
    return show((inspector) => inspector.image(file, name, decoder()));
  };
  const first = (files: File[]) => void (files[0] && image(files[0], files[0].name));

  const zone = document.querySelector<HTMLElement>("[data-drop=inspect]")!;
  accept(zone, () => !byId("view-inspect").hidden, first);
  const input = byId<HTMLInputElement>("inspect-file");
  input.addEventListener("change", () => {
    first([...(input.files ?? [])]);
    input.value = "";
  });
  byId<HTMLFormElement>("inspect-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId<HTMLInputElement>("inspect-text");
    const text = field.value === "" ? field.placeholder : field.value;
    shown = undefined;
    void show((inspector) => inspector.text(text));
  });
  for (const choice of document.querySelectorAll("[name=decoder]")) {
    choice.addEventListener("change", () => void (shown && image(shown.file, shown.name)));
  }
  for (const choice of document.querySelectorAll<HTMLInputElement>("[name=device]")) {
    choice.addEventListener("change", () => {
      useGpu(choice.value === "gpu");
      void (shown && image(shown.file, shown.name));
    });
  }
  void samples(image).catch((error) => showError(say, error));
  return { image, last: () => last?.run, onCompare: (handler) => (compare = handler) };
}

/** Which of the radio buttons of that name is. */
const chosen = (name: string): string | undefined =>
  document.querySelector<HTMLInputElement>(`[name=${name}]:checked`)?.value;

/** Images of the shop to start with. */
async function samples(image: (file: Blob, name: string) => Promise<void>): Promise<void> {
  const { samples } = await site();
  byId("inspect-samples").replaceChildren(
    ...samples.slice(0, 6).map((sample) =>
      h("li", {}, h("button", {
        type: "button", "aria-label": sample.caption, title: sample.caption,
        click: async () => image(await imageAt(sample.image), sample.image),
      }, h("img", { src: sample.image, alt: "", loading: "lazy", width: 60, height: 75 }))),
    ),
  );
}

function result(found: Inspection, memory: number, compare: () => void): HTMLElement[] {
  const { run, pictures, tokens } = found;
  const json = () => traceJson([run]);
  const copyButton: HTMLButtonElement = h("button", { type: "button", click: () => void copy(json(), copyButton) }, "Copy trace");
  return [
    h("div", { class: "resulthead" },
      h("h2", {}, run.kind === "text" ? `“${run.input}”` : run.input),
      h("p", { class: "row" },
        h("button", { type: "button", class: "primary", click: compare }, "Compare it"),
        h("button", { type: "button", click: () => download(json(), "trace.json") }, "Save trace"),
        copyButton,
      ),
    ),
    ...notes(found).map((text) => h("p", { class: "note" }, text)),
    ...(pictures ? [journey(found, pictures)] : []),
    ...(tokens ? [chips(tokens)] : []),
    h("div", { class: "columns" },
      h("section", { class: "card", "aria-labelledby": "stages-title" },
        h("h3", { id: "stages-title" }, "Digests of every stage"), stageTable(run)),
      h("div", { class: "stack" },
        h("section", { class: "card", "aria-labelledby": "vector-title" },
          h("h3", { id: "vector-title" }, `The vector: ${run.dim} numbers`), chart(run.embedding)),
        h("section", { class: "card", "aria-labelledby": "how-title" },
          h("h3", { id: "how-title" }, "How it was computed"), facts(found, memory)),
      ),
    ),
  ];
}

/** What is not as the native program does it. */
function notes({ exact, run }: Inspection): string[] {
  const { decoder, gpu } = run.environment ?? {};
  const refused = gpu === undefined && run.kind === "image" && chosen("device") === "gpu";
  return [
    ...(refused ? modelWarnings() : []),
    ...(!exact && decoder === "browser"
      ? ["The browser decoded this picture, so its pixels depend on the browser: this result is not the native program's."] : []),
    ...(gpu !== undefined && run.provenance?.device !== "exact"
      ? [`${gpu} rounds a fused multiply-add twice: this result is close to the native program's, and not the same.`] : []),
  ];
}

const TITLES = ["Decoded", "Resized", "Cropped: what the model sees"];

/** The three images, from left to right. */
function journey({ run, facts }: Inspection, pictures: ImageBitmap[]): HTMLElement {
  const stages = run.trace ?? [];
  const crop = stages[2]?.shape ?? [];
  return h("ol", { class: "journey" }, ...pictures.map((bitmap, index) => {
    const [height = 0, width = 0] = stages[index]?.shape ?? [];
    const canvas = h("canvas", {
      width: bitmap.width, height: bitmap.height, role: "img",
      "aria-label": `${TITLES[index]!.split(":")[0]} picture, ${width} by ${height} pixels`,
    });
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    const frame = h("div", { class: "frame" }, canvas);
    if (index === 1) frame.append(cropMark(width, height, crop[1] ?? 0));
    return h("li", { class: "card" },
      h("h3", {}, h("span", { class: "number" }, index + 1), TITLES[index]),
      frame,
      h("p", { class: "size" }, `${width} × ${height}`,
        index === 0 && facts ? h("span", {}, ` · ${facts.format}, ${facts.mode}${facts.alpha ? ", transparent" : ""}${facts.orientation > 1 ? `, turned (EXIF ${facts.orientation})` : ""}`) : null),
      digest(stages[index]?.sha256 ?? ""),
    );
  }));
}

/** Where the centre is cut out. */
function cropMark(width: number, height: number, crop: number): HTMLElement {
  const mark = h("span", { class: "cropmark", "aria-hidden": "true" });
  mark.style.width = `${(100 * crop) / width}%`;
  mark.style.height = `${(100 * crop) / height}%`;
  return mark;
}

function chips({ ids, pieces }: { ids: number[]; pieces: string[] }): HTMLElement {
  return h("section", { class: "card", "aria-labelledby": "tokens-title" },
    h("h3", { id: "tokens-title" }, `${ids.length} tokens`),
    h("ol", { class: "chips" }, ...ids.map((id, index) => {
      const piece = pieces[index] ?? "";
      const word = piece.replace(/<\/w>$/, "");
      const special = /^<\|.*\|>$/.test(word);
      return h("li", { class: special ? "chip special" : "chip" },
        h("span", { class: "piece" }, word, !special && piece === word ? h("span", { class: "joined", title: "the word goes on" }, "…") : null),
        h("span", { class: "id" }, id));
    })),
    h("p", { class: "fine" }, "The model reads these ids and nothing else; … marks a token after which the word goes on."),
  );
}

function stageTable(run: Run): HTMLElement {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Stages" }, h("table", { class: "stages" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Stage"), h("th", { scope: "col" }, "Shape"), h("th", { scope: "col" }, "SHA-256"))),
    h("tbody", {}, ...(run.trace ?? []).map((stage) => h("tr", {},
      h("th", { scope: "row" }, stage.name), h("td", { class: "shape" }, stage.shape.join(" × ")), h("td", {}, digest(stage.sha256))))),
  ));
}

function facts(found: Inspection, memory: number): HTMLElement {
  const { run, times, facts } = found;
  const { kernel, threads, decoder, gpu } = run.environment ?? {};
  const heap = (performance as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize;
  const rows: [string, string | undefined][] = [
    ["File", facts && `${bytes(facts.bytes)}, SHA-256 ${facts.sha256.slice(0, 12)}…`],
    ["Decoding", times.decode === undefined ? undefined : `${milliseconds(times.decode)}, by ${decoder === "browser" ? "the browser" : "this project's decoder"}`],
    ["Resizing, cropping", times.prepare === undefined ? undefined : milliseconds(times.prepare)],
    [run.kind === "text" ? "Text to vector" : "File to vector", `${milliseconds(times.embed)}, as a shop would do it`],
    ["Kernel path", gpu === undefined ? String(kernel) : undefined],
    ["GPU", gpu === undefined ? undefined : String(gpu)],
    ["Threads", `${threads}${crossOriginIsolated ? "" : " (the host sends no COOP and COEP headers)"}`],
    ["Memory", `${bytes(memory)} of wasm for the model${heap ? `, ${bytes(heap)} of the page's own` : ""}`],
    ["Model", run.provenance && `${run.provenance.model}, weights ${run.provenance.weights.slice(0, 12)}…`],
    ["Preprocessing", run.provenance?.preprocessing],
  ];
  return h("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => (value ? [h("dt", {}, name), h("dd", {}, value)] : [])));
}
