// The shadow DOM of <clip-search>. The shop's texts only ever become text nodes; addresses only ever
// http(s).

import type { Facets, Filters, Hit } from "../catalogue/index.js";
import { CAMERA, CROSS, IMAGE, icon, make, part, safe, short } from "./dom.js";
import { type Labels, say } from "./labels.js";

/** What <clip-search> shows, and the parts that its controls listen to. */
export class View {
  readonly query = part("input", "query", {
    type: "search", dir: "auto", enterkeyhint: "search", autocomplete: "off", maxlength: "1000",
  });
  private readonly submit = part("button", "submit", { type: "submit", part: "button submit" });
  readonly choose = part("button", "icon", { type: "button", part: "button photo-button" }, icon(IMAGE));
  readonly take = part("button", "icon camera", { type: "button", part: "button camera-button" }, icon(CAMERA));
  readonly file = make("input", { type: "file", accept: "image/*", hidden: true });
  readonly camera = make("input", { type: "file", accept: "image/*", capture: "environment", hidden: true });
  readonly form = part("form", "form", {}, this.query, this.submit, this.choose, this.take, this.file, this.camera);

  private readonly thumbnail = make("img", { alt: "" });
  private readonly photoText = make("span");
  readonly removePhoto = part("button", "icon", { type: "button", part: "button remove-photo" }, icon(CROSS));
  private readonly photo = part("div", "photo", { hidden: true }, this.thumbnail, this.photoText, this.removePhoto);

  readonly category = make("select", { part: "select" });
  readonly brand = make("select", { part: "select" });
  readonly from = make("input", { type: "number", min: "0", step: "any", inputmode: "decimal", part: "price-input" });
  readonly to = make("input", { type: "number", min: "0", step: "any", inputmode: "decimal", part: "price-input" });
  private readonly filterLabels = {
    category: make("span"), brand: make("span"), priceFrom: make("span"), priceTo: make("span"),
  };
  private readonly filterNames = make("legend", { class: "sr" });
  private readonly filterFields = {
    category: make("label", { hidden: true }, this.filterLabels.category, this.category),
    brand: make("label", { hidden: true }, this.filterLabels.brand, this.brand),
    from: make("label", { hidden: true }, this.filterLabels.priceFrom, this.from),
    to: make("label", { hidden: true }, this.filterLabels.priceTo, this.to),
  };
  readonly filters = part(
    "fieldset", "filters", { hidden: true }, this.filterNames, ...Object.values(this.filterFields),
  );

  private readonly progressText = make("span", { id: "progress" });
  private readonly bar = part("progress", "progress-bar", { "aria-labelledby": "progress" });
  readonly cancel = part("button", "cancel", { type: "button", part: "button cancel" });
  private readonly progress = part("div", "progress", { hidden: true }, this.progressText, this.bar, this.cancel);

  private readonly statusText = part("p", "status", { role: "status" });
  readonly resume = part("button", "resume", { type: "button", part: "button resume", hidden: true });
  private readonly errorText = make("p");
  readonly retry = part("button", "retry", { type: "button", part: "button retry" });
  private readonly error = part("div", "error", { role: "alert" }, this.errorText, this.retry);
  private readonly dropText = part("div", "drop", { hidden: true });
  private readonly list = part("ul", "results", { role: "list", hidden: true });
  readonly root = part(
    "div", "root", { role: "search" }, this.form, this.photo, this.filters, this.progress, this.statusText,
    this.resume, this.error, this.list, this.dropText,
  );

  private photoUrl: string | undefined;
  private hits: Hit[] = [];

  constructor(
    private labels: Labels,
    private readonly locale: () => string | undefined,
    /** Whether the shop follows the link. */
    private readonly onSelect: (hit: Hit, position: number) => boolean,
  ) {
    this.list.addEventListener("click", (event) => {
      const at = this.cards().findIndex((card) => event.composedPath().includes(card));
      const hit = this.hits[at];
      if (hit && !this.onSelect(hit, at)) event.preventDefault();
    });
    this.root.addEventListener("keydown", (event) => this.arrows(event));
    this.fail(undefined);
  }

  say(name: keyof Labels, values?: Record<string, string | number>): string {
    return say(this.labels[name], values);
  }

  /** Puts all fixed texts in place. */
  setLabels(labels: Labels, placeholder: string | null): void {
    this.labels = labels;
    const name = (element: Element, label: keyof Labels) => {
      element.setAttribute("aria-label", this.say(label));
      if (element instanceof HTMLButtonElement) element.title = this.say(label);
    };
    name(this.root, "search");
    name(this.query, "search");
    this.query.placeholder = placeholder ?? this.say("placeholder");
    this.submit.textContent = this.say("search");
    name(this.choose, "choosePhoto");
    name(this.take, "takePhoto");
    name(this.removePhoto, "removePhoto");
    name(this.list, "results");
    this.photoText.textContent = this.say("photo");
    this.dropText.textContent = this.say("dropPhoto");
    this.filterNames.textContent = this.say("filters");
    for (const [label, span] of Object.entries(this.filterLabels)) span.textContent = this.say(label as keyof Labels);
    for (const select of [this.category, this.brand]) if (select.options[0]) select.options[0].textContent = this.say("all");
    this.cancel.textContent = this.say("cancel");
    this.resume.textContent = this.say("resume");
    this.retry.textContent = this.say("retry");
  }

  showFacets(facets: Facets): void {
    for (const name of ["category", "brand"] as const) {
      const values = facets[name].map(({ value, count }) => make("option", { value }, `${short(value)} (${count})`));
      this[name].replaceChildren(make("option", { value: "" }, this.say("all")), ...values);
      this.filterFields[name].hidden = values.length < 2;
    }
    // A price without a currency, or of several, says little about what is cheap.
    const priced = facets.price !== undefined && facets.price.min < facets.price.max && facets.currencies.length < 2;
    for (const [input, bound] of [[this.from, "min"], [this.to, "max"]] as const) {
      const value = facets.price?.[bound];
      input.placeholder = value === undefined ? "" : String(bound === "min" ? Math.floor(value) : Math.ceil(value));
    }
    this.filterFields.from.hidden = this.filterFields.to.hidden = !priced;
    this.filters.hidden = Object.values(this.filterFields).every((field) => field.hidden);
  }

  get chosen(): Filters {
    const value = ({ valueAsNumber: n }: HTMLInputElement) => (Number.isNaN(n) ? null : n);
    const price = [value(this.from), value(this.to)] as const;
    return {
      ...(this.category.value === "" ? {} : { category: this.category.value }),
      ...(this.brand.value === "" ? {} : { brand: this.brand.value }),
      ...(price.every((p) => p === null) ? {} : { price }),
    };
  }

  showPhoto(photo: Blob | undefined): void {
    if (this.photoUrl) URL.revokeObjectURL(this.photoUrl);
    this.photoUrl = photo && URL.createObjectURL(photo);
    if (this.photoUrl) this.thumbnail.src = this.photoUrl;
    else this.thumbnail.removeAttribute("src");
    this.photo.hidden = !photo;
  }

  showDrop(on: boolean): void {
    this.dropText.hidden = !on;
  }

  /** Of a download of `total` bytes; undefined hides it. */
  showProgress(progress: { loaded: number; total: number; network: number } | undefined): void {
    this.progress.hidden = !progress;
    if (!progress) return;
    const { loaded, total, network } = progress;
    const size = (bytes: number) => this.number(bytes / 1e6, {
      style: "unit", unit: "megabyte", maximumFractionDigits: total < 1e7 ? 1 : 0,
    });
    // What lies on the device is there in a moment.
    const text = network > 0
      ? this.say("downloading", { loaded: size(loaded), total: size(total) }) : this.say("starting");
    if (this.progressText.textContent !== text) this.progressText.textContent = text;
    if (total > 0) {
      this.bar.max = total;
      this.bar.value = loaded;
    } else this.bar.removeAttribute("value");
  }

  status(...texts: string[]): void {
    this.statusText.textContent = texts.filter(Boolean).join(" ");
  }

  fail(text: string | undefined, retry = true): void {
    this.error.hidden = text === undefined;
    this.errorText.textContent = text ?? "";
    this.retry.hidden = !retry;
  }

  /** Results that a newer question will replace. */
  old(on: boolean): void {
    this.list.classList.toggle("old", on);
    this.list.setAttribute("aria-busy", String(on));
  }

  showHits(hits: Hit[], base: string): void {
    this.hits = hits;
    this.list.replaceChildren(...hits.map((hit) => make("li", { part: "item" }, this.card(hit, base))));
    this.list.hidden = hits.length === 0;
    this.old(false);
  }

  private card({ card, image }: Hit, base: string): HTMLElement {
    const { title, brand, price, currency, availability } = card;
    const href = safe(card.url, base);
    const element = href === undefined
      ? part("button", "card", { type: "button" }) : part("a", "card", { href });
    const src = safe(image, base);
    // The title says it in words beside the image.
    const img = part("img", "picture", { loading: "lazy", decoding: "async", alt: title ? "" : this.say("untitled") });
    if (src !== undefined) img.src = src;
    img.addEventListener("error", () => img.removeAttribute("src"), { once: true });
    element.append(img, part("span", "title", { dir: "auto" }, short(title ?? (brand ? "" : this.say("untitled")))));
    if (brand) element.append(part("span", "brand", { dir: "auto" }, short(brand)));
    if (price !== undefined) element.append(part("span", "price", {}, this.price(price, currency)));
    if (availability && availability !== "in_stock" && availability in this.labels) {
      element.append(part("span", "availability", {}, this.say(availability)));
    }
    return element;
  }

  private price(price: number, currency: string | undefined): string {
    try {
      if (currency) return this.number(price, { style: "currency", currency });
    } catch {
      // no currency that Intl knows
    }
    return [this.number(price, {}), currency].filter(Boolean).join(" ");
  }

  private number(value: number, options: Intl.NumberFormatOptions): string {
    let locale = this.locale();
    try {
      if (locale) Intl.getCanonicalLocales(locale);
    } catch {
      locale = undefined;
    }
    return new Intl.NumberFormat(locale, options).format(value);
  }

  private cards(): HTMLElement[] {
    return Array.from(this.list.children, (item) => item.firstElementChild as HTMLElement);
  }

  /** Arrows move among the products, as in a grid; from the field down to them. */
  private arrows(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
    const cards = this.cards();
    const target = event.composedPath()[0];
    const at = cards.indexOf(target as HTMLElement);
    let to = -1;
    if (at < 0) {
      if (target === this.query && event.key === "ArrowDown") to = 0;
    } else {
      const top = (card: HTMLElement) => card.getBoundingClientRect().top;
      const columns = cards.filter((card) => top(card) === top(cards[0]!)).length;
      const forward = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
      const step = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: columns, ArrowUp: -columns }[event.key];
      if (event.key === "Home") to = 0;
      else if (event.key === "End") to = cards.length - 1;
      else if (step !== undefined) to = at + step;
      if (event.key === "ArrowUp" && to < 0) {
        this.query.focus();
        event.preventDefault();
      }
    }
    const card = cards[to];
    if (!card) return;
    event.preventDefault();
    card.focus();
  }
}
