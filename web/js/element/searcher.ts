// How <clip-search> comes from a question to its answer: words at once, meaning as soon as it can.

import { type ClipErrorKind, kindOf } from "../runtime/errors.js";
import { idle } from "./connection.js";
import { type Filters, type Sort, isSameFilters } from "./filters.js";
import { type Query, isSame } from "./query.js";
import { type Question, find } from "./results.js";
import { type Part, type Session, isAbort } from "./session.js";
import { type Answer, initial } from "./state.js";
import { Supplies, facetsOf } from "./supplies.js";

const isOf = (error: unknown, ...kinds: ClipErrorKind[]): boolean =>
  error instanceof Error && kinds.some((kind) => kind === kindOf(error));

/** Questions and their answers. */
export class Searcher extends Supplies {
  private running: AbortController | undefined;
  /** Whether the element is in a page. */
  private attached = false;
  /** What was opened has been opened anew, and has not answered yet. */
  private refreshed = false;

  /** Asks; undefined for nothing more. */
  ask(query: Query | undefined): void {
    const { state } = this;
    if (!query) {
      this.stop();
      const facets = this.session?.opened && facetsOf(this.session.opened);
      Object.assign(state, { query: undefined, answer: undefined, error: undefined, facets });
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
    // What these tell of stays so until it is opened anew.
    if (isOf(state.error, "index.not_found", "index.corrupt", "engine", "disposed")) this.refresh();
    const wanted = state.words !== undefined;
    Object.assign(state, { words: undefined, stopped: false, error: undefined });
    if (wanted && this.settings().model !== "") {
      // The visitor wants it, whatever the connection.
      void this.meaning();
    } else void this.prepare();
    this.again();
  }

  /** The element is in a page; meanwhile `changed`: it searches in or with something else. */
  attach(changed: boolean): void {
    this.attached = true;
    if (changed) this.reset();
  }

  /** The element is in no page. */
  detach(): void {
    this.attached = false;
    this.release();
  }

  /** Gives back what is shared with others; question and answer stay. */
  private release(): void {
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

  /** Everything that was opened, anew. */
  private refresh(): void {
    this.session?.forget();
    this.reset();
  }

  protected override arrived(): void {
    const { query, answer } = this.state;
    if (query?.kind !== "text" || query.embedding || this.settings().mode === "words") return;
    void this.run(query, undefined, answer?.query === query ? answer.hits.length : 0);
  }

  private stop(): void {
    this.running?.abort();
    this.running = undefined;
    this.state.work = "none";
  }

  /** Answers a question; or gives the page after `before`; `least` products if they were shown already. */
  private async run(query: Query, before?: Answer, least = 0): Promise<void> {
    this.stop();
    if (!this.attached) {
      // What it searches in may not have been said yet; see `renew`.
      this.state.error = undefined;
      return;
    }
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
      if (isOf(error, "index.not_found") && session.opened && !this.refreshed) {
        // A page that has been open for nights: the files of its catalogue have given way to newer ones.
        this.refreshed = true;
        this.refresh();
        return this.again();
      }
      if (!isAbort(error)) this.fail(error);
    } finally {
      if (this.running === controller) {
        this.stop();
        this.listener.changed();
        // Not after a page: one that fails would be asked for again and again.
        if (!before && this.state.error === undefined) this.listener.rested();
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
      this.refreshed = false;
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
}
