// The worker of a catalogue: owns its words and its index, answers one message after the other.

import { type Card, type FacetColumns, type Facets, type Filters, damaged, parseCards, parseFacets, parseTitles } from "./data.js";
import { FACETS, allowed, counted, facetsOf, prices, sorted, without } from "./facets.js";
import { CatalogueFiles } from "./files.js";
import type { FacetCounts, FindQuery, Found, Hit, Mode, Sort } from "./find.js";
import { type Matches, Words, accepts, initSync, sha256 as sha256Here, throwPanics } from "../bindings/search.js";
import { ClipError, failure } from "../runtime/errors.js";
import { parent, sha256 } from "../runtime/platform.js";
import type { Provenance } from "../clip/protocol.js";
import { type Near, merged, Vectors } from "./vectors.js";
import { type Report, serve } from "../runtime/rpc.js";
import { compile } from "../runtime/wasm.js";

/** Words that are suggested. */
const SUGGESTED = 5;

/** [`OpenOptions`] with all defaults filled in. */
export interface CatalogueOptions {
  url: string;
  cache: boolean | string;
  exact: "auto" | "rows" | "whole";
  /** Address of search.wasm. */
  wasm: string;
}

/** What is known of an open catalogue. */
export interface CatalogueInfo {
  products: number;
  vectors: number;
  dimensions: number;
  provenance: Provenance;
  facets: Facets;
}

/** What of an embedding is searched for. */
export interface Vector {
  normalized: Float32Array;
  provenance: Provenance;
  exact: boolean;
}

/** [`FindQuery`], checked. */
export interface Question {
  text: string | undefined;
  embedding: Vector | undefined;
  like: FindQuery["like"];
}

/** [`FindOptions`] with all defaults filled in. */
export interface Wanted {
  mode: Mode;
  limit: number;
  offset: number;
  sort: Sort;
  filters: Filters;
}

/** A question to the worker. */
export type CatalogueRequest = { id: number } & (
  | { op: "open"; options: CatalogueOptions }
  | { op: "vectors" }
  | { op: "accepts"; provenance: Provenance }
  | { op: "find"; query: Question; options: Wanted }
);

/** Products in their order, and what vectors say of them. */
interface Ranking {
  products: number[];
  near: Near;
}

/** Starts search.wasm. */
async function start(wasm: string): Promise<void> {
  try {
    initSync({ module: await compile(wasm) });
    throwPanics();
  } catch (error) {
    throw new ClipError(
      "engine",
      `${wasm} could not be started (${failure(error).message}): see that it can be fetched (connect-src), ` +
        "and that the Content-Security-Policy has script-src 'wasm-unsafe-eval'",
    );
  }
}

class Catalogue {
  private readonly pages = new Map<number, Promise<Card[]>>();

  private constructor(
    private readonly files: CatalogueFiles,
    private readonly words: Words,
    private readonly columns: FacetColumns,
    readonly vectors: Vectors,
  ) {}

  static async open({ url, cache, exact, wasm }: CatalogueOptions, signal: AbortSignal, report: Report): Promise<Catalogue> {
    // The words are asked for at once: on a slow line the program takes longer than they do.
    const started = start(wasm);
    // Who awaits it hears of its failure.
    started.catch(() => undefined);
    const files = await CatalogueFiles.open(
      url,
      cache,
      {
        onWarning: (warning) => report({ warning: failure(warning) }),
        digest: async (bytes) => (await sha256(bytes)) ?? (await started, sha256Here(bytes)),
        rows: (ids, bytes) => vectors.addRows(ids, bytes),
      },
      signal,
    );
    const vectors = new Vectors(files, exact, report);
    const { words: listed, titles, facets, products } = files.manifest;
    const progress = { loaded: 0, total: (listed ?? titles).bytes + facets.bytes };
    const onBytes = (bytes: number) => {
      progress.loaded += bytes;
      report({ progress: { ...progress } });
    };
    const [json, text] = await Promise.all([
      files.json(listed ?? titles, signal, onBytes), files.text(facets, signal, onBytes),
    ]);
    await started;
    const columns = parseFacets(text, files.url(facets.file), products);
    const words = new Words(listed ? json : titlesOnly(json, files.url(titles.file), columns, products));
    if (words.products !== products) throw damaged(files.url((listed ?? titles).file), "has other sizes than manifest.json says");
    return new Catalogue(files, words, columns, vectors);
  }

  get info(): CatalogueInfo {
    const { products, rows, dim, provenance } = this.files.manifest;
    return { products, vectors: rows, dimensions: dim, provenance, facets: facetsOf(this.columns) };
  }

  accepts(provenance: Provenance): void {
    accepts(JSON.stringify(this.files.manifest.provenance), JSON.stringify(provenance));
  }

  async find(query: Question, options: Wanted, signal: AbortSignal): Promise<Found> {
    const { filters, limit, offset, sort } = options;
    if (query.embedding) this.accepts(query.embedding.provenance);
    const { text } = query;
    const matches = text === undefined || query.like ? undefined : this.words.search(text);
    try {
      const rankings = new Map<string, Promise<Ranking>>();
      const ranking = (chosen: Filters) => {
        const key = JSON.stringify(chosen);
        const known = rankings.get(key) ?? this.ranking(query, options, matches, allowed(this.columns, chosen), signal);
        rankings.set(key, known);
        return known;
      };
      const { products, near } = await ranking(filters);
      const page = sorted(this.columns, products, sort).slice(offset, offset + limit);
      const facets = await this.facets(products, filters, async (chosen) => (await ranking(chosen)).products);
      const hits = await this.hits(page, near, query, options, matches, signal);
      const suggestions = products.length === 0 && text !== undefined && matches?.empty !== false
        ? this.words.suggest(text, SUGGESTED)
        : [];
      return { hits, total: products.length, facets, suggestions };
    } finally {
      matches?.free();
    }
  }

  /** What is found among some products. */
  private async ranking(
    query: Question, { mode, limit, offset }: Wanted, matches: Matches | undefined, fits: Uint8Array | undefined, signal: AbortSignal,
  ): Promise<Ranking> {
    const near: Near = new Map();
    const { embedding, text, like } = query;
    if (text !== undefined && text.trim() === "" && !embedding && !like) {
      return { products: [...this.columns.price.keys()].filter((product) => !fits || fits[product]), near };
    }
    const { depth } = this.vectors;
    // Of one ranking the beginning does not depend on the depth.
    const most = matches && mode === "hybrid" ? depth : Math.max(depth, offset + limit);
    if (like) {
      const found = await this.like(like, most, fits, signal);
      return { products: [...found.keys()], near: found };
    }
    if (!embedding || (matches && mode === "words")) return { products: [...matches!.fuse(fits, new Uint32Array())], near };
    const floor = text === undefined ? undefined : this.files.manifest.relevance?.floor;
    const found = await this.vectors.nearest(embedding.normalized, most, fits, signal, floor);
    const nearest = [...found.keys()];
    return { products: matches && mode === "hybrid" ? [...matches.fuse(fits, Uint32Array.from(nearest))] : nearest, near: found };
  }

  /** The products whose images are nearest to any of a product's. */
  private async like(
    { id, source }: NonNullable<FindQuery["like"]>, most: number, fits: Uint8Array | undefined, signal: AbortSignal,
  ): Promise<Near> {
    const product = this.words.product(source, id) ?? (await this.named(id, source, signal));
    if (product === undefined) throw new ClipError("input", `there is no product ${JSON.stringify(id)} in the catalogue to be like`);
    const others = fits ? Uint8Array.from(fits) : new Uint8Array(this.files.manifest.products).fill(1);
    others[product] = 0;
    const own = await this.vectors.own(product, signal);
    const found: Near[] = [];
    for (const vector of own) found.push(await this.vectors.nearest(vector, most, others, signal));
    return merged(found, most);
  }

  /** The number of a product of an export whose words have no ids. */
  private async named(id: string, source: string | undefined, signal: AbortSignal): Promise<number | undefined> {
    const { cards, cards_per_page: per, words } = this.files.manifest;
    if (words) return undefined;
    for (let page = 0; page < cards.length; page += 1) {
      const at = (await this.page(page)).findIndex((card) => card.id === id && (source === undefined || (card.source ?? "") === source));
      signal.throwIfAborted();
      if (at >= 0) return page * per + at;
    }
    return undefined;
  }

  /** Counts among what is found; a facet's own choice does not narrow its own. */
  private async facets(products: number[], filters: Filters, found: (filters: Filters) => Promise<number[]>): Promise<FacetCounts> {
    const of = async (name: keyof typeof FACETS) => {
      const others = without(filters, name);
      return others === filters ? products : found(others);
    };
    const counts = async (name: "category" | "brand" | "availability") => counted(this.columns, name, await of(name), filters[name]);
    const price = prices(this.columns, await of("price"));
    return {
      category: await counts("category"), brand: await counts("brand"), availability: await counts("availability"),
      ...(price ? { price } : {}),
    };
  }

  private async hits(
    page: number[], near: Near, { text, embedding, like }: Question, { mode }: Wanted, matches: Matches | undefined, signal: AbortSignal,
  ): Promise<Hit[]> {
    const missing = page.filter((product) => !near.has(product));
    let scored = near;
    // What only words found has a score too.
    if (embedding && !like && !(text !== undefined && mode === "words") && missing.length > 0) {
      const these = new Uint8Array(this.files.manifest.products);
      for (const product of missing) these[product] = 1;
      scored = new Map([...near, ...(await this.vectors.nearest(embedding.normalized, missing.length, these, signal))]);
    }
    const cards = await this.cards(page, signal);
    return cards.map((card, i) => {
      const found = scored.get(page[i]!);
      return {
        id: card.id, score: found?.score, exact: found !== undefined && (like ? true : embedding!.exact),
        image: card.images[found ? found.row - card.row : 0], card,
        ...(matches ? { words: matches.marked(page[i]!) } : {}),
      };
    });
  }

  private async cards(products: number[], signal: AbortSignal): Promise<Card[]> {
    const per = this.files.manifest.cards_per_page;
    const all = await Promise.all(products.map(async (product) => {
      const card = (await this.page(Math.floor(product / per)))[product % per];
      if (!card) throw damaged(this.files.url("manifest.json"), "names pages with too few cards");
      return card;
    }));
    signal.throwIfAborted();
    return all;
  }

  private page(number: number): Promise<Card[]> {
    let page = this.pages.get(number);
    if (!page) {
      const listed = this.files.manifest.cards[number]!;
      page = this.files.text(listed, new AbortController().signal)
        .then((json) => parseCards(json, this.files.url(listed.file)));
      this.pages.set(number, page);
      // The next search tries again.
      page.catch(() => this.pages.delete(number));
    }
    return page;
  }
}

/** The words of an export of an older version. */
function titlesOnly(json: Uint8Array, url: string, { brand, category }: FacetColumns, products: number): Uint8Array {
  const title = parseTitles(new TextDecoder().decode(json), url, products);
  return new TextEncoder().encode(JSON.stringify({ version: 1, title, brand, category }));
}

let catalogue: Catalogue | undefined;

async function run(request: CatalogueRequest, signal: AbortSignal, report: Report): Promise<[unknown]> {
  if (request.op === "open") {
    catalogue = await Catalogue.open(request.options, signal, report);
    return [catalogue.info];
  }
  if (!catalogue) throw new ClipError("internal", "the catalogue is not open");
  switch (request.op) {
    case "vectors":
      return [await catalogue.vectors.load(signal, report)];
    case "accepts":
      return [catalogue.accepts(request.provenance)];
    case "find":
      return [await catalogue.find(request.query, request.options, signal)];
  }
}

void parent().then((port) => serve(port, run));
