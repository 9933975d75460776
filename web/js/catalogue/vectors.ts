// The vectors of a catalogue: their codes, which come after the words, and the exact ones that searches need.

import { damaged } from "./data.js";
import type { CatalogueFiles } from "./files.js";
import { Catalogue as Index, depth } from "../bindings/search.js";
import { failure } from "../runtime/errors.js";
import type { Report } from "../runtime/rpc.js";

/** Exact files up to this size come whole, after the first search; larger ones row by row. */
const WHOLE = 16 << 20;
/** Images of a product that others are compared with. */
const OWN = 4;

/** Products by their scores, best first, each with its row that fits best. */
export type Near = Map<number, { row: number; score: number }>;

/** Several searches as one: each product with its best score, of equal ones the first in the catalogue. */
export function merged(found: Near[], most: number): Near {
  const best: Near = new Map();
  for (const near of found) {
    for (const [product, hit] of near) {
      if (hit.score > (best.get(product)?.score ?? -Infinity)) best.set(product, hit);
    }
  }
  const order = [...best].sort((a, b) => b[1].score - a[1].score || a[0] - b[0]);
  return new Map(order.slice(0, most));
}

/** They are loaded once; after a failure the next search tries again. */
export class Vectors {
  private index: Index | undefined;
  private loading: Promise<Index> | undefined;
  private filling: Promise<void> | undefined;
  private kept: Promise<number> | undefined;
  private readonly mode: "rows" | "fill" | "whole";

  constructor(private readonly files: CatalogueFiles, exact: "auto" | "rows" | "whole", private readonly report: Report) {
    this.mode = exact !== "auto" ? exact : files.manifest.exact.bytes <= WHOLE ? "fill" : "rows";
  }

  /** Products that are found by vectors, at most, where other rankings are fused with theirs. */
  get depth(): number {
    return depth();
  }

  /** Gets the codes. */
  async load(signal: AbortSignal, report?: Report): Promise<void> {
    await this.ready(signal, report);
  }

  private async ready(signal: AbortSignal, report?: Report): Promise<Index> {
    if (this.index) return this.index;
    const own = !this.loading;
    const loading = (this.loading ??= this.start(report ? signal : new AbortController().signal, report));
    // Not a download that somebody else has begun since.
    loading.catch(() => this.loading === loading && (this.loading = undefined));
    try {
      return await loading;
    } catch (error) {
      // Whoever began the download gave it up; others still need it.
      if (!own && !signal.aborted && failure(error).kind === "abort") return this.ready(signal);
      throw error;
    }
  }

  private async start(signal: AbortSignal, report?: Report): Promise<Index> {
    const { scan, products, rows, dim } = this.files.manifest;
    const progress = { loaded: 0, total: scan.bytes };
    const file = await this.files.whole(scan, signal, (bytes) => {
      progress.loaded += bytes;
      report?.({ progress: { ...progress } });
    });
    const index = new Index(file);
    if (index.rows !== rows || index.products !== products || index.dim !== dim) {
      throw damaged(this.files.url(scan.file), "has other sizes than manifest.json says");
    }
    this.index = index;
    if (this.mode === "whole") await this.files.allRows(signal);
    return index;
  }

  /** Takes rows of the exact file; gives the number of those that are not what the scan file says. */
  addRows(ids: Uint32Array, bytes: Uint8Array): number {
    // None is asked for before the codes are there.
    return this.index!.addRows(ids, bytes).length;
  }

  /**
   * The `most` products nearest to a vector of unit length, among those with a byte that is not 0 in
   * `allowed`, and above the floor.
   */
  async nearest(
    query: Float32Array, most: number, allowed: Uint8Array | undefined, signal: AbortSignal, floor?: number,
  ): Promise<Near> {
    const index = await this.ready(signal);
    signal.throwIfAborted();
    const search = index.search(query, most, allowed);
    try {
      for (let needed; (needed = index.advance(search)).length > 0; ) {
        await this.rows(needed, signal);
        signal.throwIfAborted();
      }
      const { products, rows, scores } = search;
      const count = floor === undefined ? products.length : search.above(floor);
      const hits = [...products.subarray(0, count)].map((product, i) => [product, { row: rows[i]!, score: scores[i]! }] as const);
      this.fill();
      return new Map(hits);
    } finally {
      search.free();
    }
  }

  /** The vectors of a product's first images. */
  async own(product: number, signal: AbortSignal): Promise<Float32Array[]> {
    const index = await this.ready(signal);
    const rows = index.rowsOf(product).subarray(0, OWN);
    const missing = rows.filter((row) => !index.row(row));
    if (missing.length > 0) await this.rows(missing, signal);
    // A first question may only have looked at what is kept.
    const still = rows.filter((row) => !index.row(row));
    if (still.length > 0) await this.rows(still, signal);
    signal.throwIfAborted();
    return [...rows].map((row) => index.row(row)!);
  }

  /** Gets rows that a search needs. */
  private async rows(ids: Uint32Array, signal: AbortSignal): Promise<void> {
    if (this.mode === "fill" && !this.kept) {
      // Not under the lock: another tab may hold it for a whole download.
      this.kept = this.files.keptPieces();
      await this.kept;
    } else if (this.mode === "whole") await this.files.allRows(signal);
    else await this.files.someRows(ids, this.mode === "rows", signal);
  }

  /** Gets all rows in the background, for the next searches and the next visit. */
  private fill(): void {
    if (this.mode !== "fill" || this.filling) return;
    this.filling = this.files.allRows(new AbortController().signal).catch((error) => {
      this.filling = undefined;
      this.report({ warning: failure(error) });
    });
  }
}
