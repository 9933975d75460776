/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A shop's catalogue in the page: the products nearest to an embedding, with the ids and the scores
 * (to the last bit) of `scraper search`.
 *
 * ```js
 * const catalogue = await Catalogue.open("/shop/");
 * const hits = await catalogue.search(await clip.embedText("a red dress"), { limit: 12 });
 * ```
 */

import type { Card, Facets, Filters } from "./data.js";
import type { CatalogueInfo, CatalogueRequest, Hit } from "./worker.js";
import { type Configuration, configure, finder } from "../runtime/assets.js";
import { disposable } from "../runtime/dispose.js";
import { ClipError, type ClipErrorKind } from "../runtime/errors.js";
import type { Embedding } from "../clip/options.js";
import { address } from "../runtime/platform.js";
import { Remote } from "../runtime/rpc.js";
import { startWorker } from "../runtime/workers.js";

export { ClipError, configure };
export type { Card, CatalogueInfo, ClipErrorKind, Configuration, Facets, Filters, Hit };

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
  /** Bytes of the codes and facets, which are needed before the first query. */
  onProgress?: (progress: { loaded: number; total: number }) => void;
  /** What went wrong without stopping the search, e.g. no storage to keep files in. */
  onWarning?: (warning: ClipError) => void;
  signal?: AbortSignal | undefined;
}

/** Which of the products that are found are wanted. */
export interface SearchOptions {
  /** Products at most. Default: 24. */
  limit?: number;
  filters?: Filters;
  signal?: AbortSignal | undefined;
}

/** An open catalogue, in a worker of its own. */
export class Catalogue {
  private opened!: CatalogueInfo;

  private constructor(
    private readonly remote: Remote,
    /** The address of its folder. */
    readonly url: string,
  ) {}

  /**
   * Opens the folder that `scraper export --format web` wrote, at an address relative to the page (in
   * Node also a path).
   *
   * @throws ClipError of kind `index.not_found`, `index.format`, `index.corrupt`, `network` …
   */
  static async open(folder: string | URL, options: OpenOptions = {}): Promise<Catalogue> {
    const url = await address(folder, "give the address of a folder that `scraper export --format web` wrote");
    const find = await finder(options.baseUrl);
    const script = find("catalogue-worker.js", () => new URL("./catalogue-worker.js", import.meta.url));
    const wasm = find("search.wasm", () => new URL("./search.wasm", import.meta.url));
    const worker = await startWorker(script, "catalogue");
    const remote = new Remote(worker, "the catalogue", (warning) => options.onWarning?.(warning));
    const catalogue = new Catalogue(remote, url.endsWith("/") ? url : `${url}/`);
    const { cache = true, exact = "auto", signal, onProgress } = options;
    try {
      catalogue.opened = await catalogue.ask({ op: "open", options: { url, cache, exact, wasm } }, signal, onProgress);
      return catalogue;
    } catch (error) {
      catalogue.dispose();
      throw error;
    }
  }

  /** Sizes, provenance of the vectors, and what can be filtered by. */
  get info(): CatalogueInfo {
    return this.opened;
  }

  /** @throws ClipError of kind `index.provenance` where embeddings of this origin cannot be searched for. */
  async accepts(provenance: Embedding["provenance"]): Promise<void> {
    await this.ask({ op: "accepts", provenance });
  }

  /**
   * The products nearest to `embedding`, best first; equal scores in the order of `scraper search`.
   *
   * @throws ClipError of kind `index.provenance` for an embedding of another model, preprocessing or version
   */
  async search(
    embedding: Pick<Embedding, "normalized" | "provenance"> & Partial<Pick<Embedding, "exact">>,
    { limit, filters = {}, signal }: SearchOptions = {},
  ): Promise<Hit[]> {
    const { normalized, provenance, exact = true } = embedding ?? {};
    if (!(normalized instanceof Float32Array) || !provenance) {
      throw new ClipError("input", "search takes what Clip.embedText or Clip.embedImage gave");
    }
    return this.ask({ op: "search", query: normalized, exact, provenance, limit: count(limit), filters }, signal);
  }

  /** Products whose titles hold words of `text`, for the time before the model is there; they have no score. */
  async searchTitles(text: string, { limit, filters = {}, signal }: SearchOptions = {}): Promise<Hit[]> {
    if (typeof text !== "string") throw new ClipError("input", "searchTitles takes a string");
    return this.ask({ op: "titles", text, limit: count(limit), filters }, signal);
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

function count(limit = 24): number {
  if (!Number.isSafeInteger(limit) || limit < 0) throw new ClipError("input", `a limit of ${limit}: give a whole number`);
  return Math.min(limit, 1_000_000);
}
