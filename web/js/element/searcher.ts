// How <clip-search> comes from a question to its answer: words at once, meaning as soon as it can.

import type { Catalogue } from "../catalogue/index.js";
import type { Clip, Progress } from "../clip/index.js";
import { idle, isGenerous } from "./connection.js";
import { type Filters, type Sort, isSameFilters } from "./filters.js";
import { type Query, isSame } from "./query.js";
import { type FindOptions, type Question, find } from "./results.js";
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
  progressed(part: Part, progress: Progress): void;
  failed(error: unknown): void;
}

/** Questions and their answers. */
export class Searcher {
  readonly state: State = initial();
  /** The address of the catalogue's folder. */
  base = "";
  private session: Session | undefined;
  private running: AbortController | undefined;
  private failed: unknown;

  constructor(
    private readonly settings: () => Settings,
    private readonly listener: Listener,
  ) {}

  /** Asks; undefined for nothing more. */
  ask(query: Query | undefined): void {
    const { state } = this;
    if (!query) {
      this.stop();
      Object.assign(state, { query: undefined, answer: undefined, error: undefined });
      return this.listener.changed();
    }
    const { query: before } = state;
    const same = before && isSame(before, query);
    // Enter, after the pause has searched for the same.
    if (same && this.running && state.work === "search") return;
    if (same && before.embedding) query.embedding = before.embedding;
    state.query = query;
    void this.run(query);
  }

  /** Asks for what an address says. */
  restore(query: Query | undefined, filters: Filters, sort: Sort): void {
    this.stop();
    Object.assign(this.state, { filters, sort });
    this.ask(query);
  }

  /** The same question, after what decides its answer has changed. */
  again(outdated = false): void {
    const { query, answer } = this.state;
    if (!query) return this.listener.changed();
    if (answer && outdated) answer.outdated = true;
    query.asked = performance.now();
    void this.run(query);
  }

  choose(filters: Filters, sort: Sort): void {
    const { state } = this;
    if (isSameFilters(filters, state.filters) && sort === state.sort) return;
    Object.assign(state, { filters, sort });
    this.again(true);
  }

  /** Whether words alone answer: they need neither a model nor a server. */
  get isCheap(): boolean {
    const { mode, endpoint } = this.settings();
    return mode === "words" || (endpoint === "" && !this.session?.ready("text"));
  }

  /** The next page. */
  more(): void {
    const { answer, query, work } = this.state;
    if (answer && answer.query === query && !answer.outdated && work === "none" && answer.hits.length < answer.total) void this.run(query, answer);
  }

  /** Starts what the first question will need: the catalogue's words, and when the page is idle the model. */
  async prepare(what: "all" | "words" | "none" = "all"): Promise<void> {
    if (this.state.stopped || what === "none") return;
    const session = this.open();
    try {
      await this.catalogue(session);
    } catch (error) {
      if (session === this.session && !isAbort(error) && !this.state.query) this.fail(error);
      return;
    }
    if (what === "words") return;
    await idle();
    if (session === this.session) this.want();
  }

  /** Stops a download. */
  cancel(part: Part): void {
    const { state, session } = this;
    session?.cancel(part);
    delete state.downloads[part];
    const needed = part === "vision" || part === "vectors";
    if (needed && state.query && state.query.kind !== "text") return this.ask(undefined);
    if (part === "text" || part === "vectors") state.words = "cancelled";
    else if (part === "catalogue") {
      this.stop();
      session?.cancel("text");
      delete state.downloads.text;
      state.stopped = true;
    }
    this.listener.changed();
  }

  /** What was stopped after all. */
  resume(): void {
    const { state } = this;
    const wanted = state.words !== undefined;
    Object.assign(state, { words: undefined, stopped: false, error: undefined });
    if (wanted && this.settings().model !== "") {
      // The visitor wants it, whatever the connection.
      void this.meaning();
    } else void this.prepare();
    this.again();
  }

  /** Gives back what is shared with others; question and answer stay. */
  release(): void {
    this.stop();
    this.session?.close();
    this.session = undefined;
    this.state.downloads = {};
    this.failed = undefined;
  }

  /** Takes up again what `release` has cut off. */
  renew(): void {
    const { query, answer, error, words, meaning } = this.state;
    const whole = answer?.query === query && !answer?.outdated && (answer?.by === "model" || !meaning || words !== undefined);
    if (query && !whole && error === undefined) this.again();
  }

  /** Another catalogue, or another model: what was found is no longer true. */
  reset(): void {
    this.release();
    const { query, filters, sort } = this.state;
    Object.assign(this.state, initial(), { query, filters, sort });
    if (query?.embedding) delete query.embedding;
  }

  private stop(): void {
    this.running?.abort();
    this.running = undefined;
    this.state.work = "none";
  }

  private open(): Session {
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

  private async catalogue(session: Session): Promise<Catalogue> {
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
        const list = (values: { value: string; count: number }[]) =>
          values.map(({ value, count }): [string, number] => [value, count]);
        this.state.currencies = facets.currencies;
        this.state.dated = facets.newest;
        this.state.facets ??= {
          category: list(facets.category), brand: list(facets.brand), availability: list(facets.availability),
          ...(facets.price ? { price: facets.price } : {}),
        };
      }
      this.listener.changed();
      return catalogue;
    } catch (error) {
      if (session === this.session) delete this.state.downloads.catalogue;
      throw error;
    }
  }

  /** Sees that the text tower comes, if it is to come. */
  private want(): void {
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
  private async meaning(): Promise<void> {
    const session = this.open();
    try {
      if ((await this.vectors(session)) && session === this.session) void this.load("text");
    } catch (error) {
      if (session === this.session && !isAbort(error)) this.fail(error);
    }
  }

  /** Waits for the codes of the vectors; false where they were stopped. */
  private async vectors(session: Session): Promise<boolean> {
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
  private async load(tower: Tower): Promise<Clip | undefined> {
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
      const { query, answer } = state;
      if (tower === "text" && query?.kind === "text" && !query.embedding && this.settings().mode !== "words") {
        void this.run(query, undefined, answer?.query === query ? answer.hits.length : 0);
      } else this.listener.changed();
      return clip;
    } catch (error) {
      if (session !== this.session) return undefined;
      delete state.downloads[tower];
      if (!isAbort(error)) this.fail(error);
      else this.listener.changed();
      return undefined;
    }
  }

  /** Answers a question; or gives the page after `before`; `least` products if they were shown already. */
  private async run(query: Query, before?: Answer, least = 0): Promise<void> {
    this.stop();
    const controller = new AbortController();
    this.running = controller;
    const session = this.open();
    const { mode, model, endpoint } = this.settings();
    const meaning = mode !== "words" && (model !== "" || endpoint !== "");
    Object.assign(this.state, { error: undefined, stopped: false, work: before ? "more" : "search", meaning });
    this.listener.changed();
    try {
      await this.answer(session, query, before, least, controller.signal);
    } catch (error) {
      if (controller.signal.aborted || session !== this.session) return;
      if (!isAbort(error)) this.fail(error);
    } finally {
      if (this.running === controller) {
        this.stop();
        this.listener.changed();
      }
    }
  }

  private async answer(
    session: Session, query: Query, before: Answer | undefined, least: number, signal: AbortSignal,
  ): Promise<void> {
    const { mode, limit } = this.settings();
    const catalogue = await this.catalogue(session);
    if (signal.aborted) return;
    const ask = async (by: Answer["by"], question: Question) => {
      const { filters, sort } = this.state;
      const offset = before?.hits.length ?? 0;
      const options = { mode, filters, sort, offset, limit: Math.max(limit, least), signal };
      const found = await find(catalogue, question, options);
      if (signal.aborted) return;
      this.state.facets = found.facets;
      const hits = [...(before?.hits ?? []), ...found.hits];
      this.state.answer = { query, by, hits, total: found.total, suggestions: found.suggestions };
      // Whoever listens may ask for more.
      if (by === "model" || mode === "words" || before) this.state.work = "none";
      this.listener.changed();
      this.listener.answered(this.state.answer, found.hits.length);
    };
    if (query.kind === "similar") {
      if ((await this.vectors(session)) && !signal.aborted) await ask("model", { like: query.like! });
      return;
    }
    const { name: text } = query;
    if (query.kind === "text" && (mode === "words" || before?.by === "words")) return ask("words", { text });
    const tower = query.kind === "text" ? "text" : "vision";
    const input = query.photo ?? text;
    if (!query.embedding && !session.ready(tower)) {
      if (tower === "text") await ask("words", { text });
      if (signal.aborted) return;
      const { provenance, dimensions } = catalogue.info;
      const embedding = await session.endpoint?.embed(input, provenance, dimensions, signal);
      if (embedding) query.embedding = embedding;
      if (tower === "text") void idle().then(() => session === this.session && this.want());
    }
    if (!query.embedding) {
      const clip = session.ready(tower) ?? (tower === "vision" ? await this.load(tower) : undefined);
      if (!clip || signal.aborted) return;
      query.embedding = await (query.photo ? clip.embedImage(query.photo, { signal }) : clip.embedText(text, { signal }));
    }
    if (signal.aborted || !(await this.vectors(session))) return;
    if (!signal.aborted) await ask("model", { ...(tower === "text" ? { text } : {}), embedding: query.embedding });
  }

  private fail(error: unknown): void {
    // The catalogue's fails both the model's start and the query.
    if (error === this.failed && this.state.error !== undefined) return;
    this.failed = this.state.error = error;
    this.listener.failed(error);
    this.listener.changed();
  }
}
