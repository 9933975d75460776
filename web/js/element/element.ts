// <clip-search>: a search box for a shop; see the README for its attributes, events and parts.

import { Address, type Asked } from "./address.js";
import { ATTRIBUTES, type Attribute, DECIDING, type Properties, locale, reflect, upgrade } from "./attributes.js";
import { idle } from "./connection.js";
import { Controls } from "./controls.js";
import type { ClipSearchEventMap } from "./events.js";
import { type Filters, type Sort, filtersOf, isSort } from "./filters.js";
import { ENGLISH, type Labels } from "./labels.js";
import type { Query } from "./query.js";
import { Recent } from "./recent.js";
import { Searcher } from "./searcher.js";
import { sheet } from "./style.js";
import { Texts } from "./texts.js";
import { View } from "./view.js";

// So that the module can be imported where there is no DOM.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/** Pixels before the end of the page at which endless paging goes on. */
const AHEAD = 600;
const NAMES = Object.keys(ATTRIBUTES) as Attribute[];

type Detail<N extends string> = ClipSearchEventMap[`clip-search-${N}` & keyof ClipSearchEventMap]["detail"];

export interface ClipSearch extends Properties {}

/** `<clip-search>`. What is not public is `#private`: frameworks set every property they find. */
export class ClipSearch extends Base {
  static readonly observedAttributes = NAMES;

  readonly #texts = new Texts(() => locale(this));
  readonly #view: View;
  readonly #controls: Controls;
  readonly #searcher: Searcher;
  readonly #address = new Address((asked) => this.#apply(asked));
  #labels: Partial<Labels> = {};
  /** The words before a photo or a product was searched for. */
  #words = "";
  #resetting = false;
  /** What it searches in or with has changed while it was in no page. */
  #changed = false;
  #focusNew = false;
  #resized: ResizeObserver | undefined;
  #neared: IntersectionObserver | undefined;

  constructor() {
    super();
    this.#searcher = new Searcher(() => this, {
      changed: () => this.#show(),
      answered: (answer, added) => {
        const { query, by, hits, total } = answer;
        const { filters, sort } = this.#searcher.state;
        const offset = hits.length - added;
        this.#paged(offset);
        const ms = performance.now() - query.asked;
        this.#tell("results", { query: query.name, kind: query.kind, by, hits: hits.slice(offset), offset, total, filters, sort, ms });
      },
      rested: () => this.#look(),
      progressed: (part, progress) => this.#tell("progress", { part, ...progress }),
      failed: (error) => {
        if (this.#tell("error", { error }, true)) console.error("<clip-search>:", error);
      },
    });
    this.#view = new View(this.#texts, {
      choose: (filters, sort) => {
        this.#searcher.choose(filters, sort);
        this.#write(true);
      },
      cancel: (part) => {
        this.#searcher.cancel(part);
        this.#view.box.query.focus();
      },
      suggest: (text) => this.search(text),
      remembered: () => (this.recent ? new Recent(this.index) : undefined),
      select: (hit, position) => {
        this.#remember();
        return this.#tell("select", { hit, position }, true);
      },
      similar: ({ card, image }) => {
        this.#similar({ id: card.id, ...(card.source === undefined ? {} : { source: card.source }) }, card.title, image);
        this.#view.removeAbout.focus();
      },
    });
    this.#controls = new Controls(this, this.#view, {
      search: (text, done) => this.#search(text, done),
      searchPhoto: (photo) => this.searchPhoto(photo),
      removeAbout: () => this.search(this.#searcher.state.query?.kind === "similar" ? this.#words : ""),
      prepare: (what) => void this.#searcher.prepare(what),
      resume: () => this.#searcher.resume(),
      retry: () => this.#searcher.resume(),
      more: () => {
        this.#focusNew = true;
        this.#searcher.more();
      },
      debounce: () => this.debounce,
      isCheap: () => this.#searcher.isCheap,
    });
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet()];
    shadow.append(this.#view.root);
  }

  /** Texts that replace the English ones; see `labels.ts` for their names. */
  get labels(): Partial<Labels> {
    return this.#labels;
  }

  set labels(labels: Partial<Labels>) {
    this.#labels = labels ?? {};
    this.#texts.labels = { ...ENGLISH, ...this.#labels };
    this.#view.setLabels(this.placeholder);
    this.#view.cards.redraw(this.#searcher.base);
    this.#show();
  }

  /** The words in the box; setting them searches. */
  get query(): string {
    return this.#view.box.query.value;
  }

  set query(text: string) {
    const words = typeof text === "string" || typeof text === "number" ? String(text) : "";
    if (words !== this.query) this.search(words);
  }

  /** What is chosen; setting it searches again. */
  get filters(): Filters {
    return this.#searcher.state.filters;
  }

  set filters(filters: Filters) {
    this.#searcher.choose(filtersOf(filters), this.sort);
    this.#write(true);
  }

  /** The order of the products; setting it searches again. */
  get sort(): Sort {
    return this.#searcher.state.sort;
  }

  set sort(sort: Sort) {
    this.#searcher.choose(this.filters, isSort(sort) ? sort : "relevance");
    this.#write(true);
  }

  connectedCallback(): void {
    upgrade(this, [...NAMES, "labels", "filters", "sort", "query"]);
    this.labels = this.#labels;
    this.#resized = new ResizeObserver(([entry]) => entry && this.#view.resize(entry.contentRect.width));
    this.#resized.observe(this);
    this.#neared = new IntersectionObserver(
      // A busy page hands over the records of several frames at once: the last one is true.
      (records) => records.at(-1)?.isIntersecting && this.paging === "endless" && this.#searcher.more(),
      { rootMargin: `${AHEAD}px` },
    );
    this.#neared.observe(this.#view.more);
    const asked = this.#address.connect(this.url);
    this.#searcher.attach(this.#changed);
    this.#changed = false;
    if (this.#searcher.state.query) this.#searcher.renew();
    else if (asked && (asked.text !== "" || asked.like)) this.#apply(asked);
    this.#preload();
  }

  disconnectedCallback(): void {
    this.#controls.forgetTyping();
    this.#view.toolbar.leave();
    this.#resized?.disconnect();
    this.#neared?.disconnect();
    // Not when it is only moved.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#address.disconnect();
      this.#searcher.detach();
    });
  }

  attributeChangedCallback(name: Attribute, old: string | null, value: string | null): void {
    if (old === value) return;
    if (!this.isConnected) return void (this.#changed ||= DECIDING.has(name));
    switch (name) {
      case "placeholder":
        return this.#view.setLabels(this.placeholder);
      case "limit":
      case "mode":
        return this.#searcher.again(true);
      case "url":
        this.#address.connect(this.url);
        return;
      case "preload":
        return this.#preload();
      case "paging":
        return this.#show();
    }
    // Frameworks set several, one after the other.
    if (!DECIDING.has(name) || this.#resetting) return;
    this.#resetting = true;
    queueMicrotask(() => {
      this.#resetting = false;
      this.#searcher.reset();
      this.#searcher.again();
      this.#preload();
    });
  }

  override focus(options?: FocusOptions): void {
    this.#view.box.query.focus(options);
  }

  /** Searches for words, as if they were typed. */
  search(text: string): void {
    this.#view.box.query.value = text;
    this.#search(text, true);
  }

  /** Searches for what an image shows. */
  searchPhoto(photo: Blob): void {
    const name = photo instanceof File ? photo.name : "";
    this.#view.box.query.value = "";
    this.#ask({ kind: "photo", name, photo, asked: performance.now() }, true);
  }

  /** Searches for products like one of the catalogue, by its own images: no model is needed. */
  searchSimilar(product: { id: string; source?: string; title?: string }): void {
    const { id, source, title } = product;
    this.#similar({ id, ...(source === undefined ? {} : { source }) }, title);
  }

  #preload(): void {
    if (!this.isConnected || this.preload === "none") return;
    void idle().then(() => {
      if (this.isConnected) void this.#searcher.prepare(this.preload);
    });
  }

  #similar(like: NonNullable<Query["like"]>, title = "", image?: string): void {
    this.#words = this.#searcher.state.query?.kind === "text" ? this.query : "";
    this.#view.box.query.value = "";
    this.#ask({ kind: "similar", name: title, like, image, asked: performance.now() }, true);
  }

  #search(text: string, done: boolean): void {
    const name = text.trim();
    this.#ask(name === "" ? undefined : { kind: "text", name, asked: performance.now() }, done);
    if (done) this.#remember();
  }

  #ask(query: Query | undefined, done: boolean): void {
    this.#controls.forgetTyping();
    this.#searcher.ask(query);
    this.#write(done);
  }

  /** What the page's address tells. */
  #apply({ text, like, filters, sort }: Asked): void {
    this.#view.box.query.value = like ? "" : text;
    const asked = performance.now();
    const words: Query | undefined = text === "" ? undefined : { kind: "text", name: text, asked };
    this.#searcher.restore(like ? { kind: "similar", name: "", like, asked } : words, filters, sort);
  }

  #write(done: boolean): void {
    if (!this.isConnected) return;
    const { query, filters, sort } = this.#searcher.state;
    this.#address.write({ text: query?.kind === "text" ? query.name : "", like: query?.like, filters, sort }, done);
  }

  #remember(): void {
    const { query } = this.#searcher.state;
    if (this.recent && query?.kind === "text") new Recent(this.index).add(query.name);
  }

  #show(): void {
    this.#view.show(this.#searcher.state, this.#searcher.base, this.paging === "endless", this.paging !== "none");
  }

  /** After a page was shown. */
  #paged(offset: number): void {
    if (this.#focusNew && offset > 0) this.#view.cards.all()[offset]?.focus();
    this.#focusNew = false;
    this.#look();
  }

  /** Asks again whether the page's end is near. */
  #look(): void {
    this.#neared?.unobserve(this.#view.more);
    this.#neared?.observe(this.#view.more);
  }

  /** False if a listener has called `preventDefault`. */
  #tell<N extends "results" | "progress" | "select" | "error">(name: N, detail: Detail<N>, cancelable = false): boolean {
    return this.dispatchEvent(
      new CustomEvent(`clip-search-${name}`, { detail, cancelable, bubbles: true, composed: true }),
    );
  }
}

if (globalThis.HTMLElement) reflect(ClipSearch.prototype);
