// What <clip-search> tells the page.

import type { Hit } from "../catalogue/index.js";
import type { Tower } from "./session.js";

/** Of `clip-search-results`. */
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

/** Of `clip-search-progress`. */
export interface ProgressDetail {
  tower: Tower;
  loaded: number;
  total: number;
  /** Of `loaded`: bytes that came over the network. */
  network: number;
}

/** Of `clip-search-select`. */
export interface SelectDetail {
  hit: Hit;
  /** Place among the results, from 0. */
  position: number;
}

declare global {
  interface HTMLElementEventMap {
    "clip-search-results": CustomEvent<ResultsDetail>;
    "clip-search-progress": CustomEvent<ProgressDetail>;
    "clip-search-select": CustomEvent<SelectDetail>;
    "clip-search-error": CustomEvent<{ error: unknown }>;
  }
}
