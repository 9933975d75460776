// The worker of a catalogue: owns its index, answers one message after the other.

import {
  type Card, type FacetColumns, type Facets, type Filters, allowed, damaged, facetsOf, parseCards, parseFacets, parseTitles,
} from "./data.js";
import { CatalogueFiles } from "./files.js";
import { Catalogue as Index, initSync, sha256 as sha256Here, throwPanics } from "../bindings/search.js";
import { ClipError, failure } from "../runtime/errors.js";
import { parent, sha256 } from "../runtime/platform.js";
import type { Provenance } from "../clip/protocol.js";
import { type Report, serve } from "../runtime/rpc.js";
import { Titles } from "./titles.js";
import { compile } from "../runtime/wasm.js";

/** Exact files up to this size come whole, after the first search; larger ones row by row. */
const WHOLE = 16 << 20;

/** [`OpenOptions`] with all defaults filled in. */
export interface CatalogueOptions {
  url: string;
  cache: boolean | string;
  exact: "auto" | "rows" | "whole";
}

/** What is known of an open catalogue. */
export interface CatalogueInfo {
  products: number;
  vectors: number;
  dimensions: number;
  provenance: Provenance;
  facets: Facets;
}

/** A question to the worker. */
export type CatalogueRequest = { id: number } & (
  | { op: "open"; options: CatalogueOptions }
  | { op: "accepts"; provenance: Provenance }
  | { op: "search"; query: Float32Array; exact: boolean; provenance: Provenance; limit: number; filters: Filters }
  | { op: "titles"; text: string; limit: number; filters: Filters }
);

class Catalogue {
  private titles: Promise<Titles> | undefined;
  private readonly pages = new Map<number, Promise<Card[]>>();
  private filling: Promise<void> | undefined;
  private kept: Promise<number> | undefined;

  private constructor(
    private readonly index: Index,
    private readonly files: CatalogueFiles,
    private readonly columns: FacetColumns,
    private readonly exact: "rows" | "fill" | "whole",
    private readonly report: Report,
  ) {}

  static async open({ url, cache, exact }: CatalogueOptions, signal: AbortSignal, report: Report): Promise<Catalogue> {
    try {
      initSync({ module: await compile(new URL("./search.wasm", import.meta.url)) });
      throwPanics();
    } catch (error) {
      throw new ClipError(
        "engine",
        `search.wasm could not be started (${failure(error).message}): see that it lies beside this script, ` +
          "and that the Content-Security-Policy has script-src 'wasm-unsafe-eval'",
      );
    }
    const progress = { loaded: 0, total: 0 };
    const files = await CatalogueFiles.open(
      url,
      cache,
      {
        onBytes: (bytes) => {
          progress.loaded += bytes;
          if (progress.loaded <= progress.total) report({ progress: { ...progress } });
        },
        onWarning: (warning) => report({ warning: failure(warning) }),
        digest: async (bytes) => (await sha256(bytes)) ?? sha256Here(bytes),
        // None is asked for before the index is there.
        rows: (ids, bytes) => index.addRows(ids, bytes).length,
      },
      signal,
    );
    const { scan, facets, products, rows, dim, exact: listed } = files.manifest;
    progress.total = scan.bytes + facets.bytes;
    const [file, text] = await Promise.all([files.whole(scan, signal), files.text(facets, signal)]);
    const index = new Index(file);
    if (index.rows !== rows || index.products !== products || index.dim !== dim) {
      throw damaged(files.url(scan.file), "has other sizes than manifest.json says");
    }
    const mode = exact !== "auto" ? exact : listed.bytes <= WHOLE ? "fill" : "rows";
    const columns = parseFacets(text, files.url(facets.file), products);
    const catalogue = new Catalogue(index, files, columns, mode, report);
    if (mode === "whole") await files.allRows(signal);
    return catalogue;
  }

  get info(): CatalogueInfo {
    const { products, rows, dim, provenance } = this.files.manifest;
    return { products, vectors: rows, dimensions: dim, provenance, facets: facetsOf(this.columns) };
  }

  accepts(provenance: Provenance): void {
    this.index.accepts(JSON.stringify(provenance));
  }

  async search(query: Float32Array, exact: boolean, limit: number, filters: Filters, signal: AbortSignal): Promise<Hit[]> {
    const fits = allowed(this.columns, filters);
    const search = this.index.search(query, limit, fits);
    let hits: Hit[];
    try {
      for (let needed; (needed = this.index.advance(search)).length > 0; ) {
        await this.rows(needed, signal);
        signal.throwIfAborted();
      }
      const { products, rows, scores } = search;
      const cards = await this.cards([...products], signal);
      hits = cards.map((card, i) => (
        { id: card.id, score: scores[i], exact, image: card.images[rows[i]! - card.row], card }
      ));
    } finally {
      search.free();
    }
    this.fill();
    return hits;
  }

  async searchTitles(text: string, limit: number, filters: Filters, signal: AbortSignal): Promise<Hit[]> {
    const { titles: listed, products } = this.files.manifest;
    this.titles ??= this.files.text(listed, new AbortController().signal)
      .then((json) => new Titles(parseTitles(json, this.files.url(listed.file), products)));
    this.titles.catch(() => (this.titles = undefined));
    const titles = await this.titles;
    signal.throwIfAborted();
    const cards = await this.cards(titles.search(text, limit, allowed(this.columns, filters)), signal);
    return cards.map((card) => ({ id: card.id, score: undefined, exact: false, image: card.images[0], card }));
  }

  /** Gets rows that a search needs. */
  private async rows(ids: Uint32Array, signal: AbortSignal): Promise<void> {
    if (this.exact === "fill" && !this.kept) {
      // Not under the lock: another tab may hold it for a whole download.
      this.kept = this.files.keptPieces();
      await this.kept;
    } else if (this.exact === "whole") await this.files.allRows(signal);
    else await this.files.someRows(ids, this.exact === "rows", signal);
  }

  /** Gets all rows in the background, for the next searches and the next visit. */
  private fill(): void {
    if (this.exact !== "fill" || this.filling) return;
    this.filling = this.files.allRows(new AbortController().signal).catch((error) => {
      this.filling = undefined;
      this.report({ warning: failure(error) });
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

let catalogue: Catalogue | undefined;

async function run(request: CatalogueRequest, signal: AbortSignal, report: Report): Promise<[unknown]> {
  if (request.op === "open") {
    catalogue = await Catalogue.open(request.options, signal, report);
    return [catalogue.info];
  }
  if (!catalogue) throw new ClipError("internal", "the catalogue is not open");
  switch (request.op) {
    case "accepts":
      return [catalogue.accepts(request.provenance)];
    case "search":
      catalogue.accepts(request.provenance);
      return [await catalogue.search(request.query, request.exact, request.limit, request.filters, signal)];
    case "titles":
      return [await catalogue.searchTitles(request.text, request.limit, request.filters, signal)];
  }
}

void parent().then((port) => serve(port, run));
