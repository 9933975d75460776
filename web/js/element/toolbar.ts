// Filters and order: a row where there is room, else a button that opens a sheet; and what is chosen.

import { CROSS, SLIDERS, icon, make, part, short } from "./dom.js";
import { Facets } from "./facets.js";
import { type Filters, LISTS, SORTS, type Sort, without } from "./filters.js";
import type { Labels } from "./labels.js";
import type { State } from "./state.js";
import type { Texts } from "./texts.js";

const SORT_NAMES = {
  relevance: "relevance", price: "cheapest", "-price": "dearest", newest: "newest",
} as const satisfies Record<Sort, keyof Labels>;

/** The row above the results. */
export class Toolbar {
  private readonly facets: Facets;
  private readonly openText = make("span");
  private readonly open = part(
    "button", "filters-button", { type: "button", part: "button filters-button", "aria-haspopup": "dialog", hidden: true },
    icon(SLIDERS), this.openText,
  );
  private readonly sortName = make("span", { class: "sr" });
  private readonly sort = make("select", { part: "select sort" });
  private readonly sortField = part("label", "sort-field", { hidden: true }, this.sortName, this.sort);
  private readonly row = part("div", "facets");
  private readonly sheetName = make("h2", { id: "sheet-name" });
  private readonly close = part("button", "icon", { type: "button", part: "button close" }, icon(CROSS));
  private readonly body = part("div", "sheet-body");
  private readonly clearAll = part("button", "clear", { type: "button", part: "button clear" });
  private readonly done = part("button", "submit", { type: "button", part: "button submit" });
  private readonly sheet = part(
    "dialog", "sheet", { "aria-labelledby": "sheet-name" },
    part("div", "sheet-head", {}, this.sheetName, this.close), this.body,
    part("div", "sheet-foot", {}, this.clearAll, this.done),
  );
  private readonly chips = part("ul", "chips", { role: "list", hidden: true });
  readonly root = part(
    "div", "toolbar", { hidden: true }, part("div", "tools", {}, this.open, this.row, this.sortField), this.chips, this.sheet,
  );
  private filters: Filters = {};
  /** Also while it cannot be chosen: nothing was found that has a price. */
  private order: Sort = "relevance";
  private narrow: boolean | undefined;

  constructor(
    private readonly texts: Texts,
    private readonly onChoose: (filters: Filters, sort: Sort) => void,
  ) {
    this.facets = new Facets(texts, (filters) => this.choose(filters));
    this.open.addEventListener("click", () => this.sheet.showModal());
    for (const button of [this.close, this.done]) button.addEventListener("click", () => this.sheet.close());
    // On what is around it.
    this.sheet.addEventListener("click", (event) => event.target === this.sheet && this.sheet.close());
    this.clearAll.addEventListener("click", () => this.choose({}));
    this.sort.addEventListener("change", () => onChoose(this.filters, this.sort.value as Sort));
    this.fold(false);
  }

  /** Closes menus and the sheet: the visitor turns to something else, or the element is taken away. */
  leave(): void {
    this.facets.close();
    if (this.sheet.open) this.sheet.close();
  }

  /** Puts the filters into the sheet, or into the row. */
  fold(narrow: boolean): void {
    if (narrow === this.narrow) return;
    this.narrow = narrow;
    if (!narrow && this.sheet.open) this.sheet.close();
    (narrow ? this.body : this.row).append(this.facets.root);
    this.facets.close();
    this.open.hidden = !narrow || this.facets.root.hidden;
  }

  setLabels(): void {
    const { texts } = this;
    this.facets.setLabels();
    this.sheetName.textContent = texts.say("filters");
    this.close.setAttribute("aria-label", texts.say("close"));
    this.clearAll.textContent = texts.say("clearFilters");
    this.sortName.textContent = texts.say("sort");
    for (const option of this.sort.options) option.textContent = texts.say(SORT_NAMES[option.value as Sort]);
  }

  show(state: State, total: number): void {
    const { texts, facets } = this;
    [this.filters, this.order] = [state.filters, state.sort];
    facets.show(state);
    const { count } = facets;
    this.open.hidden = !this.narrow || facets.root.hidden;
    this.openText.textContent = count > 0 ? texts.say("filtersChosen", { count }) : texts.say("filters");
    this.clearAll.disabled = count === 0;
    this.done.textContent = state.answer && state.work === "none" ? texts.say("showResults", { count: total }) : texts.say("close");
    const sorts = SORTS.filter((sort) => (sort !== "newest" || state.dated) && (!/price/.test(sort) || state.facets?.price));
    if (sorts.length !== this.sort.options.length) {
      this.sort.replaceChildren(...sorts.map((sort) => make("option", { value: sort }, texts.say(SORT_NAMES[sort]))));
    }
    this.sort.value = sorts.includes(state.sort) ? state.sort : "relevance";
    this.sortField.hidden = sorts.length < 2 || !state.query;
    this.showChips();
    this.root.hidden = facets.root.hidden && this.sortField.hidden;
  }

  /** What is chosen, each with a way to take it back. */
  private showChips(): void {
    const { texts, filters } = this;
    const chip = (text: string, rest: Filters) => {
      const button = part("button", "chip", { type: "button", part: "button chip", "aria-label": texts.say("removeFilter", { filter: text }) },
        make("span", { dir: "auto" }, text), icon(CROSS));
      button.addEventListener("click", () => {
        this.choose(rest);
        // The chip is gone: the next one, or the button that opens the filters.
        (this.chips.querySelector("button") ?? (this.open.hidden ? this.root.querySelector("summary") : this.open))?.focus();
      });
      return make("li", {}, button);
    };
    const chips = LISTS.flatMap((name) => (filters[name] ?? []).map((value) => {
      const text = value === "in_stock" ? texts.say("inStock") : texts.has(value) ? texts.say(value) : short(value);
      return chip(text, without(filters, name, value));
    }));
    if (filters.price) {
      const [min, max] = filters.price.map((p) => (p === null ? "" : texts.price(p, undefined)));
      chips.push(chip(`${texts.say("price")} ${min}–${max}`, without(filters, "price")));
    }
    this.chips.hidden = chips.length === 0;
    this.chips.setAttribute("aria-label", texts.say("filters"));
    const key = JSON.stringify(filters) + texts.say("removeFilter");
    if (this.chips.dataset.key === key) return;
    this.chips.dataset.key = key;
    this.chips.replaceChildren(...chips);
  }

  private choose(filters: Filters): void {
    this.onChoose(filters, this.order);
  }
}
