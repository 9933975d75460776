// What <clip-search> searches with: the catalogue, and the towers of the model. Elements of a page
// that name the same share them.

import { Catalogue, type OpenOptions } from "../catalogue/index.js";
import { Clip, type LoadOptions, type Precision, type Progress } from "../clip/index.js";
import type { ClipError } from "../runtime/errors.js";
import { Endpoint } from "./endpoint.js";
import { type Lease, Pool } from "./pool.js";

/** What can be searched with: words or photos. */
export type Tower = "text" | "vision";
/** What can be downloaded: words and filters, codes of the vectors, towers. */
export type Part = "catalogue" | "vectors" | Tower;

/** What to search in, and with what. */
export interface SessionOptions {
  index: string;
  model: string;
  endpoint: string;
  threads: number | undefined;
  tokens: LoadOptions["tokens"];
  precision: Precision;
}

type CatalogueProgress = Parameters<NonNullable<OpenOptions["onProgress"]>>[0];

const catalogues = new Pool<Catalogue, CatalogueProgress>((catalogue) => catalogue.dispose());
const models = new Pool<Clip, Progress>((clip) => clip.dispose());
const onWarning = (warning: ClipError) => console.warn(`<clip-search>: ${warning.message}`);
const absolute = (address: string) => (URL.canParse(address, document.baseURI) ? new URL(address, document.baseURI).href : address);

/** One element's hold on them. */
export class Session {
  readonly endpoint: Endpoint | undefined;
  private opening: Lease<Catalogue, CatalogueProgress> | undefined;
  private codes: AbortController | undefined;
  private readonly towers = new Map<Tower, { lease: Lease<Clip, Progress>; clip: Promise<Clip>; ready?: Clip }>();

  private readonly options: SessionOptions;

  constructor(
    { index, model, endpoint, threads, tokens, precision }: SessionOptions,
    /** Of a download that goes on. */
    private readonly onProgress: (part: Part, progress: Progress) => void,
  ) {
    this.options = { index, model, endpoint, threads, tokens, precision };
    if (endpoint !== "") this.endpoint = new Endpoint(endpoint);
  }

  /** The catalogue; after a failure the next call tries again. */
  catalogue(): Promise<Catalogue> {
    if (!this.opening) {
      const { index } = this.options;
      const lease: Lease<Catalogue, CatalogueProgress> = catalogues.take(
        absolute(index),
        (signal, onProgress) => Catalogue.open(index, { signal, onWarning, onProgress, vectors: "asked" }),
        (progress) => this.onProgress(lease.ready ? "vectors" : "catalogue", { ...progress, network: progress.loaded }),
      );
      this.opening = lease;
      lease.value.catch(() => {
        if (this.opening === lease) this.opening = undefined;
      });
    }
    return this.opening.value;
  }

  /** The catalogue, if it is there. */
  get opened(): Catalogue | undefined {
    return this.opening?.ready;
  }

  /** Waits for the codes of the vectors; gives whether they are there, and were not stopped here. */
  async vectors(): Promise<boolean> {
    const catalogue = await this.catalogue();
    if (catalogue.ready === "vector") return true;
    this.codes ??= new AbortController();
    const { codes } = this;
    const { signal } = codes;
    try {
      // Another element may have stopped what was begun for both.
      for (;;) {
        try {
          await catalogue.loadVectors(signal);
          return !signal.aborted;
        } catch (error) {
          if (signal.aborted) return false;
          if (!isAbort(error)) throw error;
        }
      }
    } finally {
      if (this.codes === codes) this.codes = undefined;
    }
  }

  /** The model, if it is there. */
  ready(tower: Tower): Clip | undefined {
    return this.towers.get(tower)?.ready;
  }

  loading(part: Part): boolean {
    if (part === "catalogue") return this.opening !== undefined && !this.opening.ready;
    if (part === "vectors") return this.codes !== undefined;
    const found = this.towers.get(part);
    return found !== undefined && found.ready === undefined;
  }

  /** Loads a tower, and sees that its vectors are those of the catalogue. */
  start(tower: Tower): Promise<Clip> {
    const found = this.towers.get(tower);
    if (found) return found.clip;
    const { model, threads, tokens, precision } = this.options;
    const lease = models.take(
      JSON.stringify([absolute(model), tower, threads, tokens, precision]),
      (signal, onProgress) => Clip.load({
        model, towers: tower, precision, signal, onWarning, onProgress,
        ...(threads ? { threads } : {}), ...(tokens ? { tokens } : {}),
      }),
      (progress) => this.towers.get(tower)?.ready || this.onProgress(tower, progress),
    );
    const entry: { lease: Lease<Clip, Progress>; clip: Promise<Clip>; ready?: Clip } = { lease, clip: this.accepted(lease.value) };
    this.towers.set(tower, entry);
    entry.clip.then(
      (clip) => (entry.ready = clip),
      () => this.towers.get(tower) === entry && this.cancel(tower),
    );
    return entry.clip;
  }

  private async accepted(loading: Promise<Clip>): Promise<Clip> {
    const [catalogue, clip] = await Promise.all([this.catalogue(), loading]);
    await catalogue.accepts(clip.provenance);
    return clip;
  }

  /** Stops a download, unless another element waits for it; what has arrived is kept. */
  cancel(part: Part): void {
    if (part === "catalogue") {
      this.opening?.release(true);
      this.opening = undefined;
    } else if (part === "vectors") this.codes?.abort();
    else {
      this.towers.get(part)?.lease.release(true);
      this.towers.delete(part);
    }
  }

  /** What is here has gone bad: whoever asks from now on gets it anew. */
  forget(): void {
    this.opening?.forget();
    for (const { lease } of this.towers.values()) lease.forget();
  }

  /** Gives everything back; the last element's workers end. */
  close(): void {
    this.codes?.abort();
    for (const { lease } of this.towers.values()) lease.release();
    this.towers.clear();
    this.opening?.release();
    this.opening = undefined;
  }
}

/** Whether something was stopped on purpose. */
export const isAbort = (error: unknown): boolean => {
  const { kind, name } = (error ?? {}) as { kind?: unknown; name?: unknown };
  return kind === "abort" || name === "AbortError";
};
