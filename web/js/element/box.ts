// The search box: words, a photo, and queries of earlier visits.

import { CAMERA, CLOCK, CROSS, GLASS, IMAGE, icon, make, part } from "./dom.js";
import type { Recent } from "./recent.js";
import type { Texts } from "./texts.js";

/** The form, and what opens under it. */
export class Box {
  readonly query = part("input", "query", {
    type: "search", dir: "auto", enterkeyhint: "search", autocomplete: "off", maxlength: "1000",
  });
  private readonly submitText = make("span");
  private readonly submit = part("button", "submit", { type: "submit", part: "button submit" }, icon(GLASS), this.submitText);
  readonly choose = part("button", "icon", { type: "button", part: "button photo-button" }, icon(IMAGE));
  readonly take = part("button", "icon camera", { type: "button", part: "button camera-button" }, icon(CAMERA));
  readonly file = make("input", { type: "file", accept: "image/*", hidden: true });
  readonly camera = make("input", { type: "file", accept: "image/*", capture: "environment", hidden: true });
  readonly form = part("form", "form", {}, this.query, this.submit, this.choose, this.take, this.file, this.camera);
  private readonly recentName = part("span", "recent-name", { id: "recent-name" });
  private readonly clear = part("button", "clear", { type: "button", part: "button clear" });
  private readonly list = make("ul", { role: "list", "aria-labelledby": "recent-name" });
  private readonly recent = part("div", "recent", { hidden: true }, part("div", "recent-head", {}, this.recentName, this.clear), this.list);
  readonly root = part("div", "box", {}, this.form, this.recent);

  constructor(
    private readonly texts: Texts,
    /** Queries to offer; undefined where none are remembered. */
    private readonly remembered: () => Recent | undefined,
    private readonly onRecent: (text: string) => void,
  ) {
    this.query.addEventListener("focus", () => this.offer());
    this.query.addEventListener("input", () => this.offer());
    this.root.addEventListener("focusout", ({ relatedTarget }) => {
      if (!this.root.contains(relatedTarget as Node | null)) this.recent.hidden = true;
    });
    // Safari gives a button that is pressed no focus: the box would lose it, and close what is being pressed.
    this.recent.addEventListener("mousedown", (event) => event.preventDefault());
    this.root.addEventListener("keydown", (event) => this.keys(event));
    this.clear.addEventListener("click", () => {
      this.remembered()?.remove();
      this.query.focus();
      this.offer();
    });
  }

  setLabels(placeholder: string): void {
    const { texts } = this;
    this.query.setAttribute("aria-label", texts.say("search"));
    this.query.placeholder = placeholder || texts.say("placeholder");
    this.submitText.textContent = texts.say("search");
    for (const [button, name] of [[this.choose, "choosePhoto"], [this.take, "takePhoto"]] as const) {
      button.setAttribute("aria-label", texts.say(name));
      button.title = texts.say(name);
    }
    this.recentName.textContent = texts.say("recent");
    this.clear.textContent = texts.say("clearRecent");
  }

  /** Shows what was searched for before, while the box is empty. */
  private offer(): void {
    const list = this.query.value === "" ? this.remembered()?.all() ?? [] : [];
    this.recent.hidden = list.length === 0;
    this.list.replaceChildren(...list.map((text) => {
      const again = part("button", "again", { type: "button", part: "button recent-query" }, icon(CLOCK), make("span", { dir: "auto" }, text));
      const forget = part("button", "icon", { type: "button", part: "button", "aria-label": this.texts.say("removeRecent", { query: text }) }, icon(CROSS));
      again.addEventListener("click", () => {
        this.query.focus();
        this.recent.hidden = true;
        this.onRecent(text);
      });
      forget.addEventListener("click", () => {
        this.remembered()?.remove(text);
        this.query.focus();
        this.offer();
      });
      return make("li", {}, again, forget);
    }));
  }

  private keys(event: KeyboardEvent): void {
    if (this.recent.hidden) return;
    const buttons = Array.from(this.list.querySelectorAll<HTMLElement>(".again"));
    const at = buttons.indexOf(event.target as HTMLElement);
    if (event.key === "Escape") this.recent.hidden = true;
    else if (event.key === "ArrowDown") buttons[at + 1]?.focus();
    else if (event.key === "ArrowUp" && at >= 0) (buttons[at - 1] ?? this.query).focus();
    else return;
    if (event.key === "Escape" && event.target !== this.query) this.query.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
