// What `Catalogue.find` takes and gives.

import type { Embedding } from "../clip/index.js";
import type { Card, Filters } from "./data.js";

/**
 * How a text is searched for: by its words in titles, brands, categories, ids and attributes; by
 * what its vector means; or by both, fused.
 */
export type Mode = "hybrid" | "words" | "vector";

/** What comes first. Products without the price or the date come last. */
export type Sort = "relevance" | "price" | "-price" | "newest";

/** What is looked for: a text, with its embedding once there is one; an image's embedding; or what is like a product. */
export interface FindQuery {
  text?: string | undefined;
  /** Of `text`, or of an image where there is no text. */
  embedding?: SearchedFor | undefined;
  /** A product of this catalogue: its own vectors are searched for, and no model is needed. */
  like?: { id: string; source?: string | undefined } | undefined;
}

/** What of an [`Embedding`] a search needs. */
export type SearchedFor = Pick<Embedding, "normalized" | "provenance"> & Partial<Pick<Embedding, "exact">>;

/** Which of what is found is wanted. */
export interface FindOptions {
  /** Default: `"hybrid"`. Without an embedding a text is always searched for by its words. */
  mode?: Mode | undefined;
  /** Products at most. Default: 24. */
  limit?: number | undefined;
  /** How many of the first ones to leave out: those of the pages before. Default: 0. */
  offset?: number | undefined;
  /** Default: `"relevance"`. */
  sort?: Sort | undefined;
  filters?: Filters | undefined;
  signal?: AbortSignal | undefined;
}

/** A product that was found. */
export interface Hit {
  id: string;
  /** Cosine similarity, in the bits of an exact search if `exact`; undefined where no vector was searched for. */
  score: number | undefined;
  /** Whether `scraper search` gives this score for the same query; see `Embedding.exact`. */
  exact: boolean;
  /** Address of the image that fits best; relative ones mean the catalogue's folder. */
  image: string | undefined;
  card: Card;
  /** Words of the title that match the text, as the title writes them: for highlighting. */
  words?: string[];
}

/** How many of the products that were found have which value, most first. */
export interface FacetCounts {
  category: [value: string, count: number][];
  brand: [value: string, count: number][];
  availability: [value: string, count: number][];
  /** Undefined where none has a price. */
  price?: { min: number; max: number };
}

/** What was found. */
export interface Found {
  /** The page that was asked for. */
  hits: Hit[];
  /** All that were found, with the filters and above the catalogue's floor of relevance. */
  total: number;
  /** Of what was found; what is chosen of a facet does not narrow its own counts. */
  facets: FacetCounts;
  /** Where nothing was found: words of the catalogue that are near to those of the text. */
  suggestions: string[];
}
