// <clip-search>: a search box for a shop; see the README for its attributes, events and parts.

import type { CatalogueInfo, Hit } from "../catalogue/index.js";
import { ClipError, isAbort } from "../runtime/errors.js";
import type { Clip } from "../clip/index.js";
import { Controls } from "./controls.js";
import type { ProgressDetail, ResultsDetail, SelectDetail } from "./events.js";
import { ENGLISH, type Labels } from "./labels.js";
import { type Query, isSame } from "./query.js";
import { Session, type Tower } from "./session.js";
import { locale, limit, settings } from "./settings.js";
import { sheet } from "./style.js";
import { View } from "./view.js";

// So that the module can be imported where there is no DOM.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/** `<clip-search>`. */
export class ClipSearch extends Base {
  static readonly observedAttributes = ["index", "model", "threads", "tokens", "precision", "limit", "placeholder", "preload"];

  private readonly view: View;
  private readonly controls: Controls;
  private session: Session | undefined;
  private info: CatalogueInfo | undefined;
  private base = "";
  private texts: Partial<Labels> = {};
  private asking: Query | undefined;
  private shown: { query: Query; by: "model" | "titles" } | undefined;
  private running: AbortController | undefined;
  private failed: unknown;
  /** The user does not want the text tower's download. */
  private declined = false;

  constructor() {
    super();
    this.view = new View({ ...ENGLISH }, () => locale(this), (hit, position) =>
      this.tell("select", { hit, position } satisfies SelectDetail, true));
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet()];
    shadow.append(this.view.root);
    this.controls = new Controls(this, this.view, {
      search: (text) => this.search(text),
      searchPhoto: (photo) => this.searchPhoto(photo),
      filter: () => void this.again(),
      prepare: () => this.prepare(),
      cancel: () => this.decline(),
      resume: () => this.resume(),
      retry: () => {
        this.view.fail(undefined);
        this.prepare();
        void this.again();
      },
    });
  }

  /** Texts that replace the English ones; see `labels.ts` for their names. */
  get labels(): Partial<Labels> {
    return this.texts;
  }

  set labels(labels: Partial<Labels>) {
    this.texts = labels ?? {};
    this.view.setLabels({ ...ENGLISH, ...this.texts }, this.getAttribute("placeholder"));
  }

  connectedCallback(): void {
    // Set before this module was there.
    if (Object.hasOwn(this, "labels")) {
      const { labels } = this;
      delete (this as { labels?: unknown }).labels;
      this.labels = labels;
    } else this.labels = this.texts;
    if (this.hasAttribute("preload")) this.prepare();
  }

  disconnectedCallback(): void {
    // Not when it is only moved.
    queueMicrotask(() => this.isConnected || this.reset());
  }

  attributeChangedCallback(name: string, old: string | null, value: string | null): void {
    if (old === value) return;
    if (name === "placeholder") this.labels = this.texts;
    else if (name === "limit") void this.again();
    else if (name !== "preload") this.reset();
    if (name !== "placeholder" && this.isConnected && this.hasAttribute("preload")) this.prepare();
  }

  override focus(options?: FocusOptions): void {
    this.view.query.focus(options);
  }

  /** Searches for words, as if they were typed. */
  search(text: string): void {
    this.view.query.value = text;
    this.ask({ kind: "text", name: text.trim(), asked: performance.now() });
  }

  /** Searches for what an image shows. */
  searchPhoto(photo: Blob): void {
    this.view.query.value = "";
    const name = photo instanceof File ? photo.name : "";
    this.ask({ kind: "photo", name, photo, asked: performance.now() });
  }

  private open(): Session {
    if (!this.session) {
      const session: Session = new Session({
        ...settings(this),
        onProgress: (tower, progress) => {
          if (session !== this.session || !session.loading(tower)) return;
          this.view.showProgress(progress);
          this.tell("progress", { tower, ...progress } satisfies ProgressDetail);
        },
        onWarning: (warning) => console.warn(`<clip-search>: ${warning.message}`),
      });
      this.session = session;
    }
    return this.session;
  }

  private reset(): void {
    this.controls.forgetTyping();
    this.running?.abort();
    this.session?.close();
    this.session = this.info = this.shown = this.asking = undefined;
    this.declined = false;
    this.view.showHits([], "");
    this.view.showProgress(undefined);
    this.view.showPhoto(undefined);
    this.view.fail(undefined);
    this.view.status();
    this.view.filters.hidden = this.view.resume.hidden = true;
  }

  /** Starts what the first query will need. */
  private prepare(): void {
    if (this.declined) return;
    const session = this.open();
    if (!session.ready("text") && !session.loading("text")) void this.load("text");
  }

  /** Loads a tower; when it is there, what titles answered is asked again. */
  private async load(tower: Tower): Promise<Clip | undefined> {
    const session = this.open();
    try {
      void this.catalogue(session).catch(() => undefined);
      const clip = await session.start(tower);
      if (session !== this.session) return undefined;
      this.view.showProgress(undefined);
      if (tower === "text" && this.asking?.kind === "text") void this.again();
      return clip;
    } catch (error) {
      if (session !== this.session) return undefined;
      this.view.showProgress(undefined);
      if (!isAbort(error)) this.fail(error);
      return undefined;
    }
  }

  private decline(): void {
    const { session } = this;
    if (!session) return;
    if (session.loading("vision")) {
      session.cancel("vision");
      this.search("");
    } else {
      this.declined = true;
      session.cancel("text");
      this.view.resume.hidden = false;
      this.view.status(this.view.say("cancelled"));
    }
    this.view.showProgress(undefined);
    this.view.query.focus();
  }

  private resume(): void {
    this.declined = false;
    this.view.resume.hidden = true;
    void this.load("text");
    void this.again();
  }

  private async catalogue(session: Session) {
    const catalogue = await session.catalogue();
    if (session === this.session && this.info !== catalogue.info) {
      this.info = catalogue.info;
      this.base = catalogue.url;
      this.view.showFacets(catalogue.info.facets);
    }
    return catalogue;
  }

  private ask(query: Query): void {
    this.controls.forgetTyping();
    if (query.name === "" && !query.photo) {
      this.running?.abort();
      this.asking = this.shown = undefined;
      this.view.showPhoto(undefined);
      this.view.showHits([], "");
      this.view.status();
      this.view.fail(undefined);
      return;
    }
    const { asking } = this;
    // Enter, after the pause has searched for the same.
    const same = asking && isSame(asking, query);
    if (same && this.running) return;
    if (same && asking.embedding) query.embedding = asking.embedding;
    if (asking?.photo !== query.photo) this.view.showPhoto(query.photo);
    this.asking = query;
    void this.run(query);
  }

  /** The same question, after what decides its answer has changed. */
  private async again(): Promise<void> {
    if (!this.asking) return;
    this.asking.asked = performance.now();
    await this.run(this.asking);
  }

  private async run(query: Query): Promise<void> {
    this.running?.abort();
    const controller = new AbortController();
    this.running = controller;
    const { signal } = controller;
    const { view } = this;
    const session = this.open();
    view.fail(undefined);
    if (this.shown) view.old(true);
    else view.status(view.say("searching"));
    try {
      const tower = query.kind === "text" ? "text" : "vision";
      let clip = session.ready(tower);
      if (!clip && tower === "text") {
        if (!this.declined && !session.loading("text")) void this.load("text");
        const catalogue = await this.catalogue(session);
        const options = { limit: limit(this), filters: view.chosen, signal };
        const hits = await catalogue.searchTitles(query.name, options);
        // It may have come meanwhile; then its answer is on the way, or there.
        if (!signal.aborted) this.answer(query, "titles", hits);
        return;
      }
      clip ??= await this.load(tower);
      if (!clip || signal.aborted) return;
      query.embedding ??= query.photo
        ? await clip.embedImage(query.photo, { signal }) : await clip.embedText(query.name, { signal });
      const catalogue = await this.catalogue(session);
      const options = { limit: limit(this), filters: view.chosen, signal };
      const hits = await catalogue.search(query.embedding, options);
      if (!signal.aborted) this.answer(query, "model", hits);
    } catch (error) {
      if (signal.aborted || session !== this.session) return;
      if (!isAbort(error)) this.fail(error);
    } finally {
      if (this.running === controller) this.running = undefined;
    }
  }

  private answer(query: Query, by: "model" | "titles", hits: Hit[]): void {
    const { view } = this;
    this.shown = { query, by };
    view.showHits(hits, this.base);
    const count = hits.length;
    if (by === "model") view.status(view.say(count > 0 ? "found" : "nothing", { count }));
    else {
      view.status(
        view.say(count > 0 ? "foundByTitle" : "nothingByTitle", { count }),
        view.say(this.declined ? "cancelled" : "better"),
      );
    }
    const ms = performance.now() - (query.asked ?? performance.now());
    this.tell("results", { query: query.name, kind: query.kind, by, hits, ms } satisfies ResultsDetail);
  }

  private fail(error: unknown): void {
    // The catalogue's fails both the model's start and the query.
    if (error === this.failed) return;
    this.failed = error;
    const { view } = this;
    const badPhoto = error instanceof ClipError && error.kind.startsWith("image.");
    view.status();
    view.old(false);
    view.fail(view.say(badPhoto ? "badPhoto" : "failed"), !badPhoto);
    if (this.tell("error", { error }, true)) console.error("<clip-search>:", error);
  }

  /** False if a listener has called `preventDefault`. */
  private tell(name: string, detail: unknown, cancelable = false): boolean {
    return this.dispatchEvent(
      new CustomEvent(`clip-search-${name}`, { detail, cancelable, bubbles: true, composed: true }),
    );
  }
}
