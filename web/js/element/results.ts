// What a question to the catalogue gives.

import type { Catalogue, FacetCounts, Found, Hit } from "../catalogue/index.js";
import type { Embedding } from "../clip/index.js";
import type { Filters, Sort } from "./filters.js";

export type { FacetCounts, Found };
/** A hit; `words` are those of the title that matched. */
export type Result = Hit;

/** What to find: words, with their embedding once there is one; an image's embedding; what is like a product. */
export interface Question {
  text?: string;
  embedding?: Embedding;
  like?: { id: string; source?: string };
}

/** Which of it. */
export interface FindOptions {
  mode: "hybrid" | "words" | "vector";
  limit: number;
  offset: number;
  sort: Sort;
  filters: Filters;
  signal: AbortSignal;
}

/** Asks the catalogue. */
export const find = (catalogue: Catalogue, question: Question, options: FindOptions): Promise<Found> =>
  catalogue.find(question, options);
