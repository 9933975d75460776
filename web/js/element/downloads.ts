// What is being downloaded: how much of it is here, and a way to stop it.

import type { Progress } from "../clip/index.js";
import { part } from "./dom.js";
import type { Labels } from "./labels.js";
import type { Part } from "./session.js";
import type { Texts } from "./texts.js";

const NAMES = {
  catalogue: "downloadingProducts", vectors: "downloadingProducts", text: "downloading", vision: "downloadingPhotos",
} as const satisfies Record<Part, keyof Labels>;

interface Row {
  root: HTMLElement;
  text: HTMLElement;
  bar: HTMLProgressElement;
  cancel: HTMLButtonElement;
}

/** A row for each download. */
export class Downloads {
  readonly root = part("div", "downloads");
  private readonly rows = new Map<Part, Row>();

  constructor(
    private readonly texts: Texts,
    private readonly onCancel: (part: Part) => void,
  ) {}

  show(downloads: readonly [Part, Progress][]): void {
    const now = new Map(downloads);
    for (const [name, row] of this.rows) {
      if (now.has(name)) continue;
      row.root.remove();
      this.rows.delete(name);
    }
    for (const [name, progress] of now) this.update(this.rows.get(name) ?? this.add(name), name, progress);
  }

  private add(name: Part): Row {
    const text = part("span", "progress-text", { id: `progress-${name}` });
    const bar = part("progress", "progress-bar", { "aria-labelledby": `progress-${name}` });
    const cancel = part("button", "cancel", { type: "button", part: "button cancel", "aria-describedby": `progress-${name}` });
    cancel.addEventListener("click", () => this.onCancel(name));
    const row = { text, bar, cancel, root: part("div", "progress", {}, text, bar, cancel) };
    this.rows.set(name, row);
    this.root.append(row.root);
    return row;
  }

  private update({ text, bar, cancel }: Row, name: Part, { loaded, total, network }: Progress): void {
    const { texts } = this;
    // What lies on the device is there in a moment.
    const said = network > 0 && total > 0
      ? texts.say(NAMES[name], { loaded: texts.size(loaded, total), total: texts.size(total, total) }) : texts.say("starting");
    if (text.textContent !== said) text.textContent = said;
    if (total > 0) {
      bar.max = total;
      bar.value = loaded;
    } else bar.removeAttribute("value");
    cancel.textContent = texts.say("cancel");
  }
}
