/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A shop's catalogue in the page: products by words, by meaning, or by both, with the ids, the order
 * and the scores (to the last bit) of `scraper search`.
 *
 * ```js
 * const catalogue = await Catalogue.open("/shop/");
 * const text = "a red dress";
 * const { hits, total } = await catalogue.find({ text });                        // words, at once
 * const found = await catalogue.find({ text, embedding: await clip.embedText(text) }); // and meaning
 * ```
 */

import type { Card, Facets, Filters } from "./data.js";
import type { FacetCounts, FindOptions, FindQuery, Found, Hit, Mode, SearchedFor, Sort } from "./find.js";
import type { CatalogueInfo, CatalogueRequest } from "./worker.js";
import { type Configuration, configure, finder } from "../runtime/assets.js";
import { disposable } from "../runtime/dispose.js";
import { ClipError, type ClipErrorKind } from "../runtime/errors.js";
import type { Embedding } from "../clip/options.js";
import { address } from "../runtime/platform.js";
import { Remote } from "../runtime/rpc.js";
import { startWorker } from "../runtime/workers.js";

export { ClipError, configure };
export type {
  Card, CatalogueInfo, ClipErrorKind, Configuration, FacetCounts, Facets, Filters, FindOptions, FindQuery, Found, Hit, Mode, Sort,
};

/** How a catalogue is opened. */
export interface OpenOptions extends Configuration {
  /** Whether files are kept on this device; in Node also the folder to keep them in. Default: true. */
  cache?: boolean | string;
  /**
   * The exact vectors are four times the size of the codes that are searched first, and a query needs
   * few of them.
   *
   * - `"auto"` (default): queries fetch what they need (`Range`); a file of at most 16 MiB (8,000
   *   vectors of 512 values) follows as a whole after the first query.
   * - `"rows"`: never more than queries need. What has come is kept.
   * - `"whole"`: everything before the first query.
   *
   * A host that answers a `Range` with the whole file is asked once, for all of it.
   */
  exact?: "auto" | "rows" | "whole";
  /**
   * When the codes of the vectors come: in the background from the start (default), or when
   * `loadVectors` or a search for an embedding asks for them.
   */
  vectors?: "background" | "asked";
  /**
   * Bytes that have come: of the words and facets before `open` ends, then of the codes, which a
   * search for an embedding needs.
   */
  onProgress?: (progress: { loaded: number; total: number }) => void;
  /** What went wrong without stopping the search, e.g. no storage to keep files in. */
  onWarning?: (warning: ClipError) => void;
  signal?: AbortSignal | undefined;
}

/** Which of the products that are nearest are wanted. */
export interface SearchOptions {
  /** Products at most. Default: 24. */
  limit?: number;
  filters?: Filters;
  signal?: AbortSignal | undefined;
}

/** An open catalogue, in a worker of its own. */
export class Catalogue {
  private opened!: CatalogueInfo;
  private vectors: Promise<void> | undefined;
  private state: "words" | "vector" = "words";

  private constructor(
    private readonly remote: Remote,
    /** The address of its folder. */
    readonly url: string,
    private readonly onProgress: OpenOptions["onProgress"],
  ) {}

  /**
   * Opens the folder that `scraper export --format web` wrote, at an address relative to the page (in
   * Node also a path). It can be searched by words when this ends; the codes of the vectors follow in
   * the background.
   *
   * @throws ClipError of kind `index.not_found`, `index.format`, `index.corrupt`, `network` …
   */
  static async open(folder: string | URL, options: OpenOptions = {}): Promise<Catalogue> {
    const url = await address(folder, "give the address of a folder that `scraper export --format web` wrote");
    const locate = await finder(options.baseUrl);
    const script = locate("catalogue-worker.js", () => new URL("./catalogue-worker.js", import.meta.url));
    const wasm = locate("search.wasm", () => new URL("./search.wasm", import.meta.url));
    const worker = await startWorker(script, "catalogue");
    const { cache = true, exact = "auto", vectors = "background", signal, onProgress } = options;
    const remote = new Remote(worker, "the catalogue", (warning) => options.onWarning?.(warning));
    const catalogue = new Catalogue(remote, url.endsWith("/") ? url : `${url}/`, onProgress);
    try {
      catalogue.opened = await catalogue.ask({ op: "open", options: { url, cache, exact, wasm } }, signal, onProgress);
    } catch (error) {
      catalogue.dispose();
      throw error;
    }
    // Who needs them hears of a failure.
    if (vectors === "background") catalogue.loadVectors(signal).catch(() => undefined);
    return catalogue;
  }

  /** Sizes, provenance of the vectors, and what can be filtered by. */
  get info(): CatalogueInfo {
    return this.opened;
  }

  /** What is there already: words come first, the codes of the vectors later. */
  get ready(): "words" | "vector" {
    return this.state;
  }

  /**
   * Waits for the codes of the vectors, which come by themselves after `open`; after a failure it tries
   * again.
   *
   * @throws ClipError of kind `index.format`, `index.corrupt`, `network` …
   */
  loadVectors(signal?: AbortSignal): Promise<void> {
    if (!this.vectors) {
      const vectors = this.ask<void>({ op: "vectors" }, signal, this.onProgress);
      vectors.then(() => (this.state = "vector"), () => this.vectors === vectors && (this.vectors = undefined));
      this.vectors = vectors;
    }
    return this.vectors;
  }

  /** @throws ClipError of kind `index.provenance` where embeddings of this origin cannot be searched for. */
  async accepts(provenance: Embedding["provenance"]): Promise<void> {
    await this.ask({ op: "accepts", provenance });
  }

  /**
   * The products that are found by words, by meaning or by both: the page that is asked for, the total,
   * and what can be filtered by. The order is that of `scraper search`: a product whose id is the text,
   * those whose title is, those whose brand is in it; then both rankings, fused.
   *
   * A text without an embedding is searched for by its words, so it can be answered before the model is
   * there. With an embedding, what is less like the text than nonsense is (the floor that the export
   * learned) is not found by meaning.
   *
   * @throws ClipError of kind `index.provenance` for an embedding of another model, preprocessing or
   * version, `input` for a product that is not in the catalogue …
   */
  async find(query: FindQuery, options: FindOptions = {}): Promise<Found> {
    const { text, embedding, like } = query ?? {};
    const { mode = "hybrid", limit, offset = 0, sort = "relevance", filters = {}, signal } = options;
    if (text !== undefined && typeof text !== "string") throw new ClipError("input", "find takes a text that is a string");
    if (text === undefined && !embedding && !like) throw new ClipError("input", "find takes a text, an embedding, or a product to be like");
    one("mode", mode, ["hybrid", "words", "vector"]);
    one("sort", sort, ["relevance", "price", "-price", "newest"]);
    const found = await this.ask<Found>({
      op: "find",
      query: { text, like, embedding: embedding && vector(embedding) },
      options: { mode, limit: count("limit", limit ?? 24), offset: count("offset", offset), sort, filters },
    }, signal);
    // It waited for the codes.
    if (like || (embedding && (text === undefined || mode !== "words"))) this.state = "vector";
    return found;
  }

  /**
   * The products nearest to `embedding`, best first; equal scores in the order of `scraper search`.
   * However far they are: there is no floor.
   *
   * @throws ClipError of kind `index.provenance` for an embedding of another model, preprocessing or version
   */
  async search(embedding: SearchedFor, { limit, filters, signal }: SearchOptions = {}): Promise<Hit[]> {
    return (await this.find({ embedding: vector(embedding) }, { mode: "vector", limit, filters, signal })).hits;
  }

  /** Products that words of `text` are found in; they have no score. */
  async searchTitles(text: string, { limit, filters, signal }: SearchOptions = {}): Promise<Hit[]> {
    if (typeof text !== "string") throw new ClipError("input", "searchTitles takes a string");
    return (await this.find({ text }, { mode: "words", limit, filters, signal })).hits;
  }

  /** Ends the worker and frees its memory. Calls that are waiting fail with kind `disposed`. */
  dispose(): void {
    this.remote.end(new ClipError("disposed", "the catalogue was disposed of: open it again"));
  }

  /** Resolves when the worker has ended. */
  ended(): Promise<void> {
    return this.remote.ended;
  }

  private ask<T>(
    request: CatalogueRequest extends infer R ? (R extends CatalogueRequest ? Omit<R, "id"> : never) : never,
    signal?: AbortSignal,
    onProgress?: OpenOptions["onProgress"],
  ): Promise<T> {
    return this.remote.ask(request, { signal, onProgress });
  }
}

/** `using` and `await using` give the catalogue back. */
export interface Catalogue extends Disposable, AsyncDisposable {}
disposable(Catalogue);

/** What the worker needs of an embedding. */
function vector({ normalized, provenance, exact = true }: SearchedFor = {} as SearchedFor) {
  if (!(normalized instanceof Float32Array) || !provenance) {
    throw new ClipError("input", "a search takes what Clip.embedText or Clip.embedImage gave");
  }
  return { normalized, provenance, exact };
}

function one(name: string, value: string, known: string[]): void {
  if (!known.includes(value)) throw new ClipError("input", `the ${name} ${JSON.stringify(value)}: give ${known.join(", ")}`);
}

function count(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new ClipError("input", `a ${name} of ${value}: give a whole number`);
  return Math.min(value, 1_000_000);
}
