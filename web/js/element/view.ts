// The shadow DOM of <clip-search>. The shop's texts only ever become text nodes; addresses only ever
// http(s).

import { Box } from "./box.js";
import { type CardActions, Cards } from "./cards.js";
import { CROSS, icon, make, part, safe, short } from "./dom.js";
import { Downloads } from "./downloads.js";
import type { Filters, Sort } from "./filters.js";
import type { Query } from "./query.js";
import type { Recent } from "./recent.js";
import type { Part } from "./session.js";
import { type State, present } from "./state.js";
import type { Texts } from "./texts.js";
import { Toolbar } from "./toolbar.js";

/** Below this width of the element filters are folded and products stand in two columns, CSS pixels. */
const NARROW = 640;

/** What a visitor does with parts of it; the rest is in `controls.ts`. */
export interface ViewActions extends CardActions {
  choose(filters: Filters, sort: Sort): void;
  cancel(part: Part): void;
  /** A query that was offered. */
  suggest(text: string): void;
  remembered(): Recent | undefined;
}

/** What <clip-search> shows, and the parts that its controls listen to. */
export class View {
  readonly box: Box;
  readonly cards: Cards;
  readonly toolbar: Toolbar;
  private readonly downloads: Downloads;

  private readonly thumbnail = make("img", { alt: "" });
  private readonly aboutText = make("span", { dir: "auto" });
  readonly removeAbout = part("button", "icon", { type: "button", part: "button remove-photo" }, icon(CROSS));
  private readonly about = part("div", "photo", { hidden: true }, this.thumbnail, this.aboutText, this.removeAbout);

  private readonly statusText = part("p", "status", { role: "status" });
  readonly offer = part("button", "resume", { type: "button", part: "button resume", hidden: true });
  private readonly line = part("div", "line", {}, this.statusText, this.offer);
  private readonly suggestionsName = make("span");
  private readonly suggestions = part("div", "suggestions", { hidden: true });
  private readonly errorText = make("p");
  readonly retry = part("button", "retry", { type: "button", part: "button retry" });
  private readonly error = part("div", "error", { role: "alert", hidden: true }, this.errorText, this.retry);
  readonly more = part("button", "more", { type: "button", part: "button more" });
  private readonly shownText = part("p", "shown", { role: "status" });
  private readonly pages = part("div", "pages", { hidden: true }, this.shownText, this.more);
  private readonly dropText = part("div", "drop", { hidden: true });
  readonly root: HTMLElement;

  private photo: Blob | undefined;
  private photoUrl: string | undefined;
  /** Said instead of what the state says, until the next question. */
  private complaint: string | undefined;

  constructor(
    private readonly texts: Texts,
    private readonly actions: ViewActions,
  ) {
    this.box = new Box(texts, () => actions.remembered(), (text) => actions.suggest(text));
    this.cards = new Cards(texts, actions);
    this.toolbar = new Toolbar(texts, (filters, sort) => actions.choose(filters, sort));
    this.downloads = new Downloads(texts, (name) => actions.cancel(name));
    this.root = part(
      "div", "root", { role: "search" }, this.box.root, this.about, this.toolbar.root, this.downloads.root, this.line,
      this.suggestions, this.error, this.cards.list, this.cards.skeletons, this.pages, this.dropText,
    );
    this.root.addEventListener("keydown", (event) => this.cards.arrows(event, this.box.query));
    this.root.addEventListener("pointerdown", (event) => {
      if (!event.composedPath().some((e) => /^(details|dialog)$/.test((e as Element).localName))) this.toolbar.leave();
    });
  }

  /** Fits it into so many pixels. */
  resize(width: number): void {
    this.root.classList.toggle("narrow", width < NARROW);
    this.toolbar.fold(width < NARROW);
  }

  /** Puts all fixed texts in place. */
  setLabels(placeholder: string): void {
    const { texts } = this;
    this.root.setAttribute("aria-label", texts.say("search"));
    this.box.setLabels(placeholder);
    this.toolbar.setLabels();
    this.cards.list.setAttribute("aria-label", texts.say("results"));
    this.dropText.textContent = texts.say("dropPhoto");
    this.suggestionsName.textContent = texts.say("suggestions");
    this.retry.textContent = texts.say("retry");
    this.more.textContent = texts.say("more");
  }

  /** Shows a state. */
  show(state: State, base: string, endless: boolean, paged: boolean): void {
    const { texts } = this;
    const shown = present(state);
    if (state.work !== "none") this.complaint = undefined;
    text(this.statusText, this.complaint === undefined ? shown.status.map(([name, values]) => texts.say(name, values)).join(" · ") : "");
    this.offer.hidden = shown.offer === undefined;
    text(this.offer, texts.say(shown.offer ?? "resume"));
    this.fail(this.complaint ?? (shown.error && texts.say(shown.error)), shown.error === "failed");
    this.cards.show(shown.hits, base);
    this.cards.stale(shown.stale);
    this.cards.skeletons.hidden = !shown.skeletons;
    this.pages.hidden = !paged || shown.stale || shown.hits.length === 0 || shown.hits.length >= shown.total;
    text(this.shownText, texts.say("shown", { shown: shown.hits.length, count: shown.total }));
    this.more.setAttribute("aria-disabled", String(shown.more === "busy"));
    this.pages.classList.toggle("endless", endless);
    this.suggest(shown.suggestions);
    this.downloads.show(shown.downloads);
    this.toolbar.show(state, shown.total);
    this.showAbout(state.query, base);
  }

  /** Says that what was dropped is no picture. */
  complain(): void {
    this.complaint = this.texts.say("badPhoto");
    this.fail(this.complaint, false);
    text(this.statusText, "");
  }

  showDrop(on: boolean): void {
    this.dropText.hidden = !on;
  }

  private fail(message: string | undefined, retry: boolean): void {
    this.error.hidden = message === undefined;
    text(this.errorText, message ?? "");
    this.retry.hidden = !retry;
  }

  private suggest(list: readonly string[]): void {
    this.suggestions.hidden = list.length === 0;
    const key = JSON.stringify([this.suggestionsName.textContent, list]);
    if (this.suggestions.dataset.key === key) return;
    this.suggestions.dataset.key = key;
    this.suggestions.replaceChildren(this.suggestionsName, ...list.map((query) => {
      const button = part("button", "suggestion", { type: "button", part: "button suggestion" }, short(query));
      button.addEventListener("click", () => {
        this.actions.suggest(query);
        this.box.query.focus();
      });
      return button;
    }));
  }

  /** The photo, or the product, that others are to be like. */
  private showAbout(query: Query | undefined, base: string): void {
    const { texts } = this;
    if (this.photo !== query?.photo) {
      if (this.photoUrl) URL.revokeObjectURL(this.photoUrl);
      this.photo = query?.photo;
      this.photoUrl = this.photo && URL.createObjectURL(this.photo);
    }
    const src = this.photoUrl ?? safe(query?.image, base);
    if (src === undefined) this.thumbnail.removeAttribute("src");
    else if (this.thumbnail.src !== src) this.thumbnail.src = src;
    this.thumbnail.hidden = src === undefined;
    this.about.hidden = !query || query.kind === "text";
    if (!query) return;
    const similar = query.kind === "similar";
    text(this.aboutText, similar ? texts.say("similarTo", { title: query.name || texts.say("untitled") }) : texts.say("photo"));
    const remove = texts.say(similar ? "removeSimilar" : "removePhoto");
    this.removeAbout.setAttribute("aria-label", remove);
    this.removeAbout.title = remove;
  }
}

/** Sets a text; the same one is not said again to those who listen. */
function text(element: HTMLElement, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}
