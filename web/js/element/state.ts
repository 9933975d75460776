// What <clip-search> knows, and what of it is to be seen: the one is computed from the other, so that
// two things on the screen never contradict each other.

import type { Progress } from "../clip/index.js";
import { ClipError } from "../runtime/errors.js";
import type { Filters, Sort } from "./filters.js";
import type { Labels } from "./labels.js";
import type { Query } from "./query.js";
import type { FacetCounts, Result } from "./results.js";
import type { Part } from "./session.js";

/** What a query has found so far. */
export interface Answer {
  query: Query;
  /** What found it: the model, or, before it is there, only words. */
  by: "model" | "words";
  /** All pages that were asked for. */
  hits: Result[];
  total: number;
  suggestions: string[];
  /** Other filters, or another order, were chosen meanwhile. */
  outdated?: boolean;
}

/** Everything that decides what is shown. */
export interface State {
  query: Query | undefined;
  filters: Filters;
  sort: Sort;
  answer: Answer | undefined;
  /** What can be filtered by: of the answer, else of the catalogue. */
  facets: FacetCounts | undefined;
  /** Currencies of the prices. */
  currencies: readonly string[];
  /** Whether some products are known to be newer than others. */
  dated: boolean;
  work: "none" | "search" | "more";
  downloads: Partial<Record<Part, Progress>>;
  /** Whether a model or an endpoint is to understand the words. */
  meaning: boolean;
  /** Why the model is not downloaded: the visitor, or the connection, does not want it. */
  words: "cancelled" | "connection" | undefined;
  /** The visitor has stopped the catalogue. */
  stopped: boolean;
  error: unknown;
}

export const initial = (): State => ({
  query: undefined, filters: {}, sort: "relevance", answer: undefined, facets: undefined, currencies: [], dated: false,
  work: "none", downloads: {}, meaning: false, words: undefined, stopped: false, error: undefined,
});

/** A text and its values. */
export type Said = [name: keyof Labels, values?: Record<string, string | number>];

/** What is to be seen. */
export interface Shown {
  status: Said[];
  error: "failed" | "badPhoto" | undefined;
  /** The button beside the status. */
  offer: "resume" | "retry" | undefined;
  /** Places of products that are on their way. */
  skeletons: boolean;
  hits: readonly Result[];
  /** The products are those of the question before. */
  stale: boolean;
  /** How many of `total` products are shown. */
  total: number;
  more: "none" | "button" | "busy";
  suggestions: readonly string[];
  downloads: [Part, Progress][];
}

const NOTHING = {
  status: [], error: undefined, offer: undefined, skeletons: false, hits: [], stale: false, total: 0, more: "none",
  suggestions: [],
} as const;

/** What of a state is to be seen. */
export function present(state: State): Shown {
  const { query, answer, work, downloads, error, words } = state;
  const shown: Shown = {
    ...NOTHING, status: [], hits: [], suggestions: [], downloads: Object.entries(downloads) as [Part, Progress][],
  };
  const own = answer !== undefined && answer.query === query && !answer.outdated;
  if (error !== undefined) {
    shown.error = error instanceof ClipError && error.kind.startsWith("image.") ? "badPhoto" : "failed";
  }
  if (query === undefined) {
    if (error !== undefined) return shown;
    if (state.stopped) return { ...shown, status: [["stopped"]], offer: "retry" };
    if (words === "cancelled") return { ...shown, status: [["cancelled"]], offer: "resume" };
    return shown;
  }
  const replacing = work === "search" && error === undefined && !state.stopped;
  if (answer && (own || replacing)) {
    Object.assign(shown, { hits: answer.hits, total: answer.total, stale: !own });
  }
  if (!own) {
    if (error !== undefined) return shown;
    if (state.stopped) return { ...shown, status: [["stopped"]], offer: "retry" };
    if (replacing) return { ...shown, status: [["searching"]], skeletons: shown.hits.length === 0 };
    return shown;
  }
  const { total: count, hits } = answer;
  const byWords = answer.by === "words" && state.meaning;
  if (hits.length < count) shown.more = work === "more" ? "busy" : "button";
  if (count > 0) shown.status.push([byWords ? "foundByWords" : "found", { count }]);
  else {
    shown.status.push([byWords ? "nothingByWords" : "nothing"]);
    shown.suggestions = answer.suggestions;
  }
  if (byWords && error === undefined) {
    // Soon by an endpoint, or by the model when its download has begun and ended.
    const coming = downloads.text !== undefined || downloads.vectors !== undefined || work === "search" || words === undefined;
    shown.status.push([coming ? "better" : "cancelled"]);
    if (!coming) shown.offer = "resume";
  }
  return shown;
}
