// What a question to the catalogue gives.

import type { Catalogue, Hit } from "../catalogue/index.js";
import type { Embedding } from "../clip/index.js";
import { type Filters, LISTS, type Sort } from "./filters.js";

/** A hit; `words` are those of the title that matched. */
export type Result = Hit & { words?: readonly string[] };

/** How many products of what was found have which value. */
export interface FacetCounts {
  category: [value: string, count: number][];
  brand: [value: string, count: number][];
  availability: [value: string, count: number][];
  price?: { min: number; max: number };
}

/** What was found. */
export interface Found {
  hits: Result[];
  /** All that were found, not only this page. */
  total: number;
  facets: FacetCounts;
  /** Where nothing was found: words of the catalogue near to the question's. */
  suggestions: string[];
}

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
export async function find(catalogue: Catalogue, { text, embedding }: Question, options: FindOptions): Promise<Found> {
  const { limit, offset, sort, filters, signal } = options;
  const all = embedding && options.mode !== "words"
    ? await catalogue.search(embedding, { limit: 1_000_000, signal })
    : await catalogue.searchTitles(text ?? "", { limit: 1_000_000, signal });
  const fits = ({ card }: Hit, except?: string) => {
    const [min, max] = filters.price ?? [null, null];
    const priced = except === "price" || ((min ?? -Infinity) <= (card.price ?? NaN) && (max ?? Infinity) >= (card.price ?? NaN)) || !filters.price;
    return priced && LISTS.every((name) => name === except || !filters[name] || filters[name].includes(card[name] ?? ""));
  };
  const count = (name: (typeof LISTS)[number]) => {
    const counts = new Map<string, number>();
    for (const hit of all) {
      const value = hit.card[name];
      if (value !== undefined && fits(hit, name)) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]);
  };
  const prices = all.filter((hit) => fits(hit, "price")).map(({ card }) => card.price).filter((p) => p !== undefined);
  const found = all.filter((hit) => fits(hit));
  if (sort === "price" || sort === "-price") {
    const sign = sort === "price" ? 1 : -1;
    found.sort((a, b) => sign * ((a.card.price ?? sign * Infinity) - (b.card.price ?? sign * Infinity)));
  }
  return {
    hits: found.slice(offset, offset + limit),
    total: found.length,
    facets: {
      category: count("category"), brand: count("brand"), availability: count("availability"),
      ...(prices.length > 0 ? { price: { min: Math.min(...prices), max: Math.max(...prices) } } : {}),
    },
    suggestions: [],
  };
}
