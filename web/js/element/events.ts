// What <clip-search> tells the page.

import type { Filters, Sort } from "./filters.js";
import type { Query } from "./query.js";
import type { Result } from "./results.js";
import type { Part } from "./session.js";

/** Of `clip-search-results`. */
export interface ResultsDetail {
  /** The words, the name of the photo's file, or the title of the product that others are like. */
  query: string;
  kind: Query["kind"];
  /** What found them: the model, or, before it is there, a match of words. */
  by: "model" | "words";
  /** The products of this page. */
  hits: Result[];
  /** How many were shown before them: 0 on the first page. */
  offset: number;
  /** All that were found. */
  total: number;
  filters: Filters;
  sort: Sort;
  /** From the user's action to the hits. */
  ms: number;
}

/** Of `clip-search-progress`. */
export interface ProgressDetail {
  part: Part;
  loaded: number;
  total: number;
  /** Of `loaded`: bytes that came over the network. */
  network: number;
}

/** Of `clip-search-select`. */
export interface SelectDetail {
  hit: Result;
  /** Place among the results, from 0. */
  position: number;
}

/** Of `clip-search-error`. */
export interface ErrorDetail {
  /** A `ClipError`, which says what to do, or what a browser threw. */
  error: unknown;
}

/** The events and their details. */
export interface ClipSearchEventMap {
  "clip-search-results": CustomEvent<ResultsDetail>;
  "clip-search-progress": CustomEvent<ProgressDetail>;
  "clip-search-select": CustomEvent<SelectDetail>;
  "clip-search-error": CustomEvent<ErrorDetail>;
}

declare global {
  interface HTMLElementEventMap extends ClipSearchEventMap {}
}
