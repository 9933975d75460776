// What <clip-search> searches with: the catalogue, and the towers of the model, each started once.

import { Catalogue } from "../catalogue/index.js";
import type { ClipError } from "../runtime/errors.js";
import { Clip, type LoadOptions, type Precision, type Progress } from "../clip/index.js";

/** What can be searched with: words or photos. */
export type Tower = "text" | "vision";

/** What to search in, and with what. */
export interface SessionOptions {
  index: string;
  model: string;
  threads: number | undefined;
  tokens: LoadOptions["tokens"];
  precision: Precision;
  onProgress(tower: Tower, progress: Progress): void;
  onWarning(warning: ClipError): void;
}

interface Loading {
  controller: AbortController;
  clip: Promise<Clip>;
  /** Set when it can be used. */
  ready: Clip | undefined;
}

/** One catalogue, and the towers that were asked for. */
export class Session {
  private opening: Promise<Catalogue> | undefined;
  private readonly towers = new Map<Tower, Loading>();
  private readonly closed = new AbortController();

  constructor(private readonly options: SessionOptions) {}

  /** The catalogue; after a failure the next call tries again. */
  catalogue(): Promise<Catalogue> {
    if (!this.opening) {
      const { index, onWarning } = this.options;
      const opening = Catalogue.open(index, { signal: this.closed.signal, onWarning });
      opening.catch(() => this.opening === opening && (this.opening = undefined));
      this.opening = opening;
    }
    return this.opening;
  }

  /** The model, if it is there. */
  ready(tower: Tower): Clip | undefined {
    return this.towers.get(tower)?.ready;
  }

  loading(tower: Tower): boolean {
    const found = this.towers.get(tower);
    return found !== undefined && found.ready === undefined;
  }

  /** Loads a tower, and sees that its vectors are those of the catalogue. */
  start(tower: Tower): Promise<Clip> {
    const found = this.towers.get(tower);
    if (found) return found.clip;
    const controller = new AbortController();
    const { signal } = controller;
    this.closed.signal.addEventListener("abort", () => controller.abort(), { once: true, signal });
    const loading: Loading = { controller, clip: this.load(tower, signal), ready: undefined };
    this.towers.set(tower, loading);
    loading.clip.then(
      (clip) => (loading.ready = clip),
      () => this.towers.get(tower) === loading && this.towers.delete(tower),
    );
    return loading.clip;
  }

  private async load(tower: Tower, signal: AbortSignal): Promise<Clip> {
    const { model, threads, tokens, precision, onProgress, onWarning } = this.options;
    // First: it is small, and titles are matched with it meanwhile.
    const catalogue = await this.catalogue();
    const clip = await Clip.load({
      model, towers: tower, precision, signal, onWarning, onProgress: (progress) => onProgress(tower, progress),
      ...(threads ? { threads } : {}), ...(tokens ? { tokens } : {}),
    });
    try {
      await catalogue.accepts(clip.provenance);
      return clip;
    } catch (error) {
      clip.dispose();
      throw error;
    }
  }

  /** Stops a download; what has arrived is kept. */
  cancel(tower: Tower): void {
    const found = this.towers.get(tower);
    if (!found || found.ready) return;
    this.towers.delete(tower);
    found.controller.abort();
  }

  /** Ends all workers. */
  close(): void {
    this.closed.abort();
    for (const { clip } of this.towers.values()) clip.then((clip) => clip.dispose(), () => undefined);
    this.towers.clear();
    this.opening?.then((catalogue) => catalogue.dispose(), () => undefined);
  }
}
