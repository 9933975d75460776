// <clip-search>: a search box for a shop; see the README for its attributes, events and parts.

import type { CatalogueInfo, Hit } from "../catalogue/index.js";
import { ClipError } from "../runtime/errors.js";
import type { Clip, Embedding, LoadOptions } from "../clip/index.js";
import { ENGLISH, type Labels } from "./labels.js";
import { Session, type Tower } from "./session.js";
import { CSS } from "./style.js";
import { View } from "./view.js";

/** Milliseconds without a key before what was typed is searched for. */
const TYPING = 200;

export interface ResultsDetail {
  /** The words, or the name of the photo's file. */
  query: string;
  kind: "text" | "photo";
  /** What found them: the model, or, before it is there, a match of titles. */
  by: "model" | "titles";
  hits: Hit[];
  /** From the user's action to the hits. */
  ms: number;
}

export interface ProgressDetail {
  tower: Tower;
  loaded: number;
  total: number;
  /** Of `loaded`: bytes that came over the network. */
  network: number;
}

export interface SelectDetail {
  hit: Hit;
  /** Place among the results, from 0. */
  position: number;
}

interface Query {
  kind: "text" | "photo";
  name: string;
  photo?: Blob;
  /** When the user asked; undefined where a filter, or the model's arrival, asks again. */
  asked: number | undefined;
  embedding?: Embedding;
}

// So that the module can be imported where there is no DOM.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

export class ClipSearch extends Base {
  static readonly observedAttributes = ["index", "model", "threads", "tokens", "precision", "limit", "placeholder", "preload"];

  private static sheet: CSSStyleSheet | undefined;

  private readonly view: View;
  private session: Session | undefined;
  private info: CatalogueInfo | undefined;
  private base = "";
  private texts: Partial<Labels> = {};
  private asking: Query | undefined;
  private shown: { query: Query; by: "model" | "titles" } | undefined;
  private running: AbortController | undefined;
  private failed: unknown;
  private typing: ReturnType<typeof setTimeout> | undefined;
  /** The user does not want the text tower's download. */
  private declined = false;

  constructor() {
    super();
    this.view = new View({ ...ENGLISH }, () => this.locale(), (hit, position) =>
      this.tell("select", { hit, position } satisfies SelectDetail, true));
    const shadow = this.attachShadow({ mode: "open" });
    if (!ClipSearch.sheet) {
      ClipSearch.sheet = new CSSStyleSheet();
      ClipSearch.sheet.replaceSync(CSS);
    }
    shadow.adoptedStyleSheets = [ClipSearch.sheet];
    shadow.append(this.view.root);
    this.listen();
  }

  /** Texts that replace the English ones; see `search-labels.ts` for their names. */
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

  /** Searches for what a picture shows. */
  searchPhoto(photo: Blob): void {
    this.view.query.value = "";
    const name = photo instanceof File ? photo.name : "";
    this.ask({ kind: "photo", name, photo, asked: performance.now() });
  }

  private listen(): void {
    const { view } = this;
    view.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.search(view.query.value);
    });
    view.query.addEventListener("input", (event) => {
      clearTimeout(this.typing);
      if ((event as InputEvent).isComposing) return;
      // Emptied with its own button.
      if (view.query.value === "") this.search("");
      else this.typing = setTimeout(() => this.search(view.query.value), TYPING);
    });
    for (const [button, input] of [[view.choose, view.file], [view.take, view.camera]] as const) {
      button.addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        const [file] = input.files ?? [];
        input.value = "";
        if (file) this.searchPhoto(file);
      });
    }
    view.removePhoto.addEventListener("click", () => {
      this.search("");
      view.query.focus();
    });
    view.filters.addEventListener("change", () => void this.again());
    view.cancel.addEventListener("click", () => this.decline());
    view.resume.addEventListener("click", () => {
      this.declined = false;
      view.resume.hidden = true;
      void this.load("text");
      void this.again();
      view.query.focus();
    });
    view.retry.addEventListener("click", () => {
      view.fail(undefined);
      this.prepare();
      void this.again();
      view.query.focus();
    });
    this.addEventListener("focusin", () => {
      // Who saves data has it downloaded by a query only.
      const { connection } = navigator as { connection?: { saveData?: boolean } };
      if (!connection?.saveData) this.prepare();
    });
    this.addEventListener("paste", (event) => this.take(event, event.clipboardData));
    this.addEventListener("drop", (event) => {
      view.showDrop(false);
      this.take(event, event.dataTransfer);
    });
    for (const name of ["dragenter", "dragover"] as const) {
      this.addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        view.showDrop(true);
      });
    }
    this.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget || !this.contains(event.relatedTarget as Node)) view.showDrop(false);
    });
  }

  /** A photo that was pasted or dropped. */
  private take(event: Event, data: DataTransfer | null): void {
    const photo = Array.from(data?.files ?? []).find(({ type }) => type.startsWith("image/"));
    const dropped = event.type === "drop" && data?.types.includes("Files");
    if (photo) this.searchPhoto(photo);
    else if (dropped) this.view.fail(this.view.say("badPhoto"), false);
    if (photo || dropped) event.preventDefault();
  }

  private locale(): string | undefined {
    return this.closest("[lang]")?.getAttribute("lang") || undefined;
  }

  private limit(): number {
    const limit = Number(this.getAttribute("limit") ?? 24);
    return Number.isSafeInteger(limit) && limit > 0 ? limit : 24;
  }

  private open(): Session {
    if (!this.session) {
      const index = this.getAttribute("index") ?? "";
      const threads = Number(this.getAttribute("threads"));
      const session: Session = new Session({
        index,
        model: this.getAttribute("model") ?? "",
        threads: Number.isSafeInteger(threads) && threads > 0 ? threads : undefined,
        tokens: (this.getAttribute("tokens") ?? undefined) as LoadOptions["tokens"],
        // A visitor waits, and does not compare bits.
        precision: this.getAttribute("precision") === "exact" ? "exact" : "auto",
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
    clearTimeout(this.typing);
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
      if (!(error instanceof ClipError && error.kind === "abort")) this.fail(error);
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
    clearTimeout(this.typing);
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
    const same = asking && asking.kind === query.kind && asking.name === query.name && asking.photo === query.photo;
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
        const options = { limit: this.limit(), filters: view.chosen, signal };
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
      const options = { limit: this.limit(), filters: view.chosen, signal };
      const hits = await catalogue.search(query.embedding, options);
      if (!signal.aborted) this.answer(query, "model", hits);
    } catch (error) {
      if (signal.aborted || session !== this.session) return;
      if (!(error instanceof ClipError && error.kind === "abort")) this.fail(error);
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

declare global {
  interface HTMLElementTagNameMap {
    "clip-search": ClipSearch;
  }
  interface HTMLElementEventMap {
    "clip-search-results": CustomEvent<ResultsDetail>;
    "clip-search-progress": CustomEvent<ProgressDetail>;
    "clip-search-select": CustomEvent<SelectDetail>;
    "clip-search-error": CustomEvent<{ error: unknown }>;
  }
}
