// What <clip-search> searches with, as far as it is here: the catalogue's words, the codes of its vectors,
// the towers; which of them are to come, and what is told of them meanwhile.

import type { Catalogue } from "../catalogue/index.js";
import type { Clip, Progress } from "../clip/index.js";
import { isGenerous } from "./connection.js";
import type { FacetCounts, FindOptions } from "./results.js";
import { type Part, Session, type SessionOptions, type Tower, isAbort } from "./session.js";
import { type Answer, type State, initial } from "./state.js";

/** What decides an answer besides the question. */
export interface Settings extends SessionOptions {
  mode: FindOptions["mode"];
  limit: number;
}

/** Who wants to know. */
export interface Listener {
  /** Something that may be seen. */
  changed(): void;
  answered(answer: Answer, added: number): void;
  /** A question has all the answers that it gets for now, and the next page may be asked for. */
  rested(): void;
  progressed(part: Part, progress: Progress): void;
  failed(error: unknown): void;
}

/** What all its products can be filtered by. */
export function facetsOf({ info: { facets } }: Catalogue): FacetCounts {
  const list = (values: { value: string; count: number }[]) =>
    values.map(({ value, count }): [string, number] => [value, count]);
  return {
    category: list(facets.category), brand: list(facets.brand), availability: list(facets.availability),
    ...(facets.price ? { price: facets.price } : {}),
  };
}

/** The downloads of one element. */
export abstract class Supplies {
  readonly state: State = initial();
  /** The address of the catalogue's folder. */
  base = "";
  protected session: Session | undefined;
  protected failed: unknown;

  constructor(
    protected readonly settings: () => Settings,
    protected readonly listener: Listener,
  ) {}

  /** The text tower is there: what words have answered can be asked again. */
  protected abstract arrived(): void;

  protected open(): Session {
    if (!this.session) {
      const session: Session = new Session(this.settings(), (part, progress) => {
        if (session !== this.session || !session.loading(part)) return;
        this.state.downloads[part] = progress;
        this.listener.progressed(part, progress);
        this.listener.changed();
      });
      this.session = session;
    }
    return this.session;
  }

  protected async catalogue(session: Session): Promise<Catalogue> {
    if (!session.opened && !this.state.downloads.catalogue) {
      this.state.downloads.catalogue = { loaded: 0, total: 0, network: 0 };
      this.listener.changed();
    }
    const opening = session.catalogue();
    try {
      const catalogue = await opening;
      if (session !== this.session || !session.opened) return catalogue;
      delete this.state.downloads.catalogue;
      if (this.base !== catalogue.url || !this.state.facets) {
        this.base = catalogue.url;
        const { facets } = catalogue.info;
        this.state.currencies = facets.currencies;
        this.state.dated = facets.newest;
        this.state.facets ??= facetsOf(catalogue);
      }
      this.listener.changed();
      return catalogue;
    } catch (error) {
      if (session === this.session) delete this.state.downloads.catalogue;
      throw error;
    }
  }

  /** Sees that the text tower comes, if it is to come. */
  protected want(): void {
    const { model, mode } = this.settings();
    const session = this.open();
    if (model === "" || mode === "words" || this.state.words === "cancelled") return;
    if (session.ready("text") || session.loading("text") || session.loading("vectors")) return;
    if (isGenerous()) {
      this.state.words = undefined;
      void this.meaning();
    } else {
      this.state.words = "connection";
      this.listener.changed();
    }
  }

  /** Loads what finds by meaning: the codes of the vectors, which are small, then the tower. */
  protected async meaning(): Promise<void> {
    const session = this.open();
    try {
      if ((await this.vectors(session)) && session === this.session) void this.load("text");
    } catch (error) {
      if (session === this.session && !isAbort(error)) this.fail(error);
    }
  }

  /** Waits for the codes of the vectors; false where they were stopped. */
  protected async vectors(session: Session): Promise<boolean> {
    const { downloads } = this.state;
    try {
      const loading = session.vectors();
      if (session.opened?.ready !== "vector" && session.opened) {
        downloads.vectors ??= { loaded: 0, total: 0, network: 0 };
        this.listener.changed();
      }
      return await loading;
    } finally {
      if (session === this.session && !session.loading("vectors")) {
        delete downloads.vectors;
        this.listener.changed();
      }
    }
  }

  /** Loads a tower; when it is there, what words have answered is asked again. */
  protected async load(tower: Tower): Promise<Clip | undefined> {
    const session = this.open();
    const { state } = this;
    try {
      if (!session.ready(tower)) {
        state.downloads[tower] ??= { loaded: 0, total: 0, network: 0 };
        this.listener.changed();
      }
      const clip = await session.start(tower);
      // Or it was stopped here, while another element waited for it.
      if (session !== this.session || session.ready(tower) !== clip) return undefined;
      delete state.downloads[tower];
      this.listener.changed();
      if (tower === "text") this.arrived();
      return clip;
    } catch (error) {
      if (session !== this.session) return undefined;
      delete state.downloads[tower];
      if (!isAbort(error)) this.fail(error);
      else this.listener.changed();
      return undefined;
    }
  }

  protected fail(error: unknown): void {
    // The catalogue's fails both the model's start and the query.
    if (error === this.failed && this.state.error !== undefined) return;
    this.failed = this.state.error = error;
    this.listener.failed(error);
    this.listener.changed();
  }
}
