// What can be filtered by: values with their numbers, several of them at a time; stock; price.

import { make, part, short } from "./dom.js";
import { type Filters, countOf, filtersOf } from "./filters.js";
import type { FacetCounts } from "./results.js";
import type { State } from "./state.js";
import type { Texts } from "./texts.js";

/** Values of a facet that are shown. */
const SHOWN = 200;
const LISTS = ["category", "brand"] as const;
type List = (typeof LISTS)[number];

interface Choice {
  input: HTMLInputElement;
  label: HTMLElement;
  count: HTMLElement;
}

const number = (name: string) =>
  make("input", { type: "number", min: "0", step: "any", inputmode: "decimal", part: "price-input", class: name });

const list = () => ({
  name: make("span"), values: part("div", "values", { role: "group" }), choices: new Map<string, Choice>(),
});

/** The filters' fields; `onChange` when others were chosen. */
export class Facets {
  private readonly lists = { category: list(), brand: list() };
  private readonly min = number("min");
  private readonly max = number("max");
  private readonly stock = make("input", { type: "checkbox" });
  private readonly stockName = make("span");
  private readonly stockCount = make("span", { class: "count" });
  private readonly priceName = make("span");
  private readonly folds = {
    category: this.fold(this.lists.category.name, this.lists.category.values),
    brand: this.fold(this.lists.brand.name, this.lists.brand.values),
    price: this.fold(this.priceName, part("div", "values prices", {}, this.min, make("span", { "aria-hidden": "true" }, "–"), this.max)),
  };
  private readonly stockField = part("label", "choice stock", { hidden: true }, this.stock, this.stockName, this.stockCount);
  readonly root = part("div", "filters", { role: "group", hidden: true }, ...Object.values(this.folds), this.stockField);
  private filters: Filters = {};

  constructor(
    private readonly texts: Texts,
    onChange: (filters: Filters) => void,
  ) {
    this.root.addEventListener("change", () => onChange(this.chosen()));
    // One menu at a time, closed by Escape or by leaving it; in the sheet they are its sections.
    this.root.addEventListener("toggle", (event) => {
      const opened = event.target as HTMLDetailsElement;
      if (!opened.open || this.isFolded) return;
      for (const other of Object.values(this.folds)) if (other !== opened) other.open = false;
    }, true);
    this.root.addEventListener("keydown", (event) => {
      const open = (event.target as Element).closest("details");
      if (event.key !== "Escape" || !open?.open || this.isFolded) return;
      open.open = false;
      open.querySelector("summary")!.focus();
      event.preventDefault();
    });
    this.root.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !this.root.contains(relatedTarget as Node)) this.close();
    });
  }

  /** Closes the menus. */
  close(): void {
    if (!this.isFolded) for (const fold of Object.values(this.folds)) fold.open = false;
  }

  /** Whether they are in the sheet. */
  get isFolded(): boolean {
    return this.root.parentElement?.classList.contains("sheet-body") ?? false;
  }

  setLabels(): void {
    const { texts } = this;
    this.root.setAttribute("aria-label", texts.say("filters"));
    for (const name of LISTS) this.lists[name].values.setAttribute("aria-label", texts.say(name));
    this.min.setAttribute("aria-label", texts.say("priceFrom"));
    this.max.setAttribute("aria-label", texts.say("priceTo"));
    this.stockName.textContent = texts.say("inStock");
    this.name();
  }

  /** Shows what there is, and what of it is chosen. */
  show({ facets, filters, currencies }: State): void {
    this.filters = filters;
    if (!facets) return;
    for (const name of LISTS) this.fill(name, facets[name], filters[name] ?? []);
    const inStock = facets.availability.find(([value]) => value === "in_stock");
    const stocked = filters.availability?.length === 1 && filters.availability[0] === "in_stock";
    this.stockField.hidden = !stocked && !(inStock && facets.availability.length > 1);
    this.stock.checked = stocked;
    this.stockCount.textContent = inStock ? String(inStock[1]) : "";
    this.prices(facets.price, currencies);
    this.name();
    this.root.hidden = [...Object.values(this.folds), this.stockField].every((field) => field.hidden);
  }

  private fold(name: HTMLElement, values: HTMLElement): HTMLDetailsElement {
    return part("details", "facet", { hidden: true }, part("summary", "facet-name", {}, name), values);
  }

  /** Their names, with how many are chosen. */
  private name(): void {
    for (const name of LISTS) {
      const count = this.filters[name]?.length ?? 0;
      this.lists[name].name.textContent = `${this.texts.say(name)}${count > 0 ? ` (${count})` : ""}`;
    }
    this.priceName.textContent = `${this.texts.say("price")}${this.filters.price ? " (1)" : ""}`;
  }

  private fill(name: List, counts: FacetCounts[List], chosen: readonly string[]): void {
    const { values, choices } = this.lists[name];
    const all = new Map(counts.slice(0, SHOWN));
    // What is chosen stays, though nothing of it was found.
    for (const value of chosen) if (!all.has(value)) all.set(value, counts.find(([v]) => v === value)?.[1] ?? 0);
    const focused = (values.getRootNode() as ShadowRoot).activeElement;
    const using = focused !== null && values.contains(focused);
    for (const [value, choice] of choices) {
      if (all.has(value)) continue;
      // Under the visitor's hands nothing vanishes.
      if (using) all.set(value, 0);
      else {
        choice.label.remove();
        choices.delete(value);
      }
    }
    for (const [value, count] of all) {
      let choice = choices.get(value);
      if (!choice) {
        const [input, number] = [make("input", { type: "checkbox", value }), make("span", { class: "count" })];
        const label = part("label", "choice", {}, input, make("span", { dir: "auto" }, short(value)), number);
        choice = { input, label, count: number };
        choices.set(value, choice);
        if (using) values.append(label);
      }
      choice.input.checked = chosen.includes(value);
      choice.count.textContent = String(count);
    }
    if (!using) values.replaceChildren(...[...all.keys()].map((value) => choices.get(value)!.label));
    this.folds[name].hidden = all.size < 2 && chosen.length === 0;
  }

  private prices(price: FacetCounts["price"], currencies: readonly string[]): void {
    const { filters: { price: chosen } } = this;
    // A price without a currency, or of several, says little about what is cheap.
    const priced = price !== undefined && price.min < price.max && currencies.length < 2;
    this.folds.price.hidden = !priced && !chosen;
    for (const [input, i] of [[this.min, 0], [this.max, 1]] as const) {
      if (price) input.placeholder = String(i === 0 ? Math.floor(price.min) : Math.ceil(price.max));
      const value = chosen?.[i] ?? null;
      if (!input.matches(":focus")) input.value = value === null ? "" : String(value);
    }
  }

  private chosen(): Filters {
    const value = ({ valueAsNumber: n }: HTMLInputElement) => (Number.isNaN(n) ? null : n);
    const list = (name: List) => [...this.lists[name].choices].filter(([, { input }]) => input.checked).map(([v]) => v);
    const before = this.filters.availability?.filter((v) => v !== "in_stock" || this.filters.availability!.length > 1);
    return filtersOf({
      category: list("category"), brand: list("brand"), price: [value(this.min), value(this.max)],
      availability: this.stock.checked ? ["in_stock"] : before,
    });
  }

  /** How many are chosen. */
  get count(): number {
    return countOf(this.filters);
  }
}
