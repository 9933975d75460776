// Two traces side by side.

import { type Comparison, type Row, type Run, compare, parseTraces } from "clip-everywhere/inspect-compare";

import { accept, byId, digest, h, showError, status } from "./dom.js";
import { nativeTraces } from "./site.js";

type Name = "a" | "b";

interface Side {
  runs: Run[];
  chosen: number;
  from: string;
}

export interface CompareView {
  set(side: Name, run: Run, from: string): void;
}

export function compareView(inspected: () => Run | undefined): CompareView {
  const sides: Partial<Record<Name, Side>> = {};
  const out = byId("comparison");
  const say = status("compare");
  let scheduled = false;

  function put(name: Name, side: Side | undefined): void {
    if (side) sides[name] = side;
    else delete sides[name];
    draw(name);
    if (!scheduled) queueMicrotask(update);
    scheduled = true;
  }

  function update(): void {
    scheduled = false;
    const [a, b] = (["a", "b"] as const).map((name) => sides[name]?.runs[sides[name]?.chosen ?? 0]);
    say.replaceChildren();
    if (!a || !b) {
      out.replaceChildren();
      if (a || b) say.replaceChildren(h("p", { class: "fine" }, "Now the other side."));
      return;
    }
    const comparison = compare(a, b);
    out.replaceChildren(...result(comparison));
    say.replaceChildren(h("p", { class: "visually-hidden" }, `${comparison.sentence} ${comparison.cause}`));
  }

  /** Takes the text of a JSON file; of several results the one that fits the other side. */
  function read(name: Name, text: string, from: string): void {
    const error = box(name).querySelector<HTMLElement>(".problem")!;
    error.replaceChildren();
    try {
      const { runs, notes } = parseTraces(text);
      const other = sides[name === "a" ? "b" : "a"];
      const beside = other?.runs[other.chosen];
      const chosen = Math.max(0, runs.findIndex((run) => beside && run.kind === beside.kind && run.input === beside.input));
      put(name, { runs, chosen: chosen || Math.max(0, runs.findIndex((run) => run.kind === beside?.kind)), from });
      if (notes.length > 0) box(name).querySelector(".problem")!.replaceChildren(h("p", { class: "fine" }, notes.join("; ")));
    } catch (why) {
      showError(error, why);
    }
  }

  const box = (name: Name) => document.querySelector<HTMLElement>(`[data-side=${name}]`)!;

  function draw(name: Name): void {
    const side = sides[name];
    const label = name.toUpperCase();
    const run = side?.runs[side.chosen];
    const heading = h("h2", { tabindex: -1 }, h("span", { class: "badge" }, label), side ? side.from : name === "a" ? "One result" : "The other");
    if (!side || !run) {
      const area = h("textarea", { id: `paste-${name}`, rows: 3, spellcheck: "false", placeholder: '[{"input": …, "embedding": […], "trace": […]}]' });
      area.addEventListener("input", () => void (area.value.trim() !== "" && read(name, area.value, "Pasted")));
      const file = h("input", { type: "file", accept: ".json,.jsonl,application/json" });
      file.addEventListener("change", () => void takeFile(name, file.files?.[0]));
      box(name).replaceChildren(
        heading,
        h("label", { for: `paste-${name}` }, `Paste the JSON of ${label}, or drop its file`),
        area,
        h("p", { class: "row" },
          h("label", { class: "button" }, file, "choose a file"),
          h("button", { type: "button", click: () => {
            const found = inspected();
            if (found) put(name, { runs: [found], chosen: 0, from: "The inspector" });
            else showError(box(name).querySelector<HTMLElement>(".problem")!, new Error("Inspect a picture or a text first"));
          } }, "from the inspector"),
          h("button", { type: "button", click: () => void nativeTraces().then((text) => read(name, text, "Native program"), (why) => showError(box(name).querySelector<HTMLElement>(".problem")!, why)) }, "native, of a sample"),
        ),
        h("div", { class: "problem", role: "alert" }),
      );
      return;
    }
    const choose = h("select", { "aria-label": `Result of ${label}`, change: () => {
      side.chosen = choose.selectedIndex;
      update();
    } }, ...side.runs.map((one, index) => h("option", { selected: index === side.chosen }, one.input || `result ${index + 1}`)));
    const { environment, provenance } = run;
    box(name).replaceChildren(
      h("div", { class: "sidehead" }, heading, h("button", { type: "button", click: () => {
        put(name, undefined);
        box(name).querySelector<HTMLElement>("h2")?.focus();
      } }, "Replace", h("span", { class: "visually-hidden" }, ` ${label}`))),
      side.runs.length > 1 ? choose : h("p", { class: "input" }, run.input),
      h("p", { class: "fine" }, [
        provenance?.model, environment?.kernel, environment?.threads && `${environment.threads} thread${environment.threads === 1 ? "" : "s"}`,
        environment?.decoder === "browser" && "decoded by the browser",
      ].filter(Boolean).join(" · ") || "nothing is said about its origin"),
      h("div", { class: "problem", role: "alert" }),
    );
  }

  async function takeFile(name: Name, file: File | undefined): Promise<void> {
    if (file) read(name, await file.text(), file.name);
  }

  for (const name of ["a", "b"] as const) {
    draw(name);
    accept(box(name), () => false, (files) => {
      void takeFile(name, files[0]);
      // Two files at once are both sides.
      if (files[1]) void takeFile(name === "a" ? "b" : "a", files[1]);
    });
  }
  return { set: (name, run, from) => put(name, { runs: [run], chosen: 0, from: from.charAt(0).toUpperCase() + from.slice(1) }) };
}

function result(comparison: Comparison): HTMLElement[] {
  const { verdict, sentence, cause, rows, distance, origins } = comparison;
  const mark = verdict === "equal" ? "=" : verdict === "differ" ? "≠" : "?";
  return [
    h("div", { class: `verdict ${verdict}` },
      h("span", { class: "mark", "aria-hidden": "true" }, mark),
      h("div", {}, h("h2", {}, sentence), cause ? h("p", {}, h("strong", {}, "Likely cause: "), cause) : null),
    ),
    ...(distance ? [h("dl", { class: "metrics" },
      metric("Cosine", distance.differing === 0 ? "1" : cosine(distance.cosine)),
      metric("Largest difference", distance.maxDelta === 0 ? "0" : distance.maxDelta.toExponential(2), distance.maxDelta === 0 ? "" : `at value ${distance.at}`),
      metric("Largest in ulps", distance.maxUlps.toLocaleString("en"), "units in the last place"),
      metric("Values that differ", distance.differing.toLocaleString("en"), `of ${distance.dim}`),
    )] : []),
    ...(rows.length > 0 ? [h("section", { class: "card", "aria-labelledby": "rows-title" },
      h("h3", { id: "rows-title" }, "Stage by stage"), stageTable(comparison))] : []),
    ...(origins.length > 0 ? [h("section", { class: "card", "aria-labelledby": "origins-title" },
      h("h3", { id: "origins-title" }, "What is not the same about their origins"), originTable(origins))] : []),
  ];
}

/** As many digits as show that it is not 1. */
function cosine(value: number): string {
  if (1 - value < 1e-12) return "> 0.999999999999";
  const nines = Math.ceil(-Math.log10(1 - value));
  return value.toFixed(Math.min(12, Math.max(4, nines + 2)));
}

function metric(name: string, value: string, more = ""): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", {}, h("span", { class: "figure" }, value), more ? h("span", { class: "fine" }, more) : null));
}

function originTable(origins: Comparison["origins"]): HTMLElement {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Origins" }, h("table", { class: "origins" },
    h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, "A"), h("th", { scope: "col" }, "B"))),
    h("tbody", {}, ...origins.map(({ what, a, b }) => h("tr", {}, h("th", { scope: "row" }, what), h("td", {}, a), h("td", {}, b)))),
  ));
}

function stageTable({ rows, first }: Comparison): HTMLElement {
  const shown: Record<Row["state"], string> = { same: "same", differs: "differs", "only-a": "only in A", "only-b": "only in B" };
  const side = (stage: Row["a"]) => h("td", {}, stage ? digest(stage.sha256) : h("span", { class: "fine" }, "—"));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Stages of both" }, h("table", { class: "stages" },
    h("thead", {}, h("tr", {}, ...["Stage", "A", "B", "Result"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...rows.map((row) => h("tr", { class: row.stage === first ? "first" : row.state },
      h("th", { scope: "row" }, row.stage), side(row.a), side(row.b),
      h("td", { class: "state" }, row.stage === first ? "first to differ" : shown[row.state])))),
  ));
}
