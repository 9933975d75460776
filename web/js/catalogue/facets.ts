// Which products fit filters, and how many have which value.

import type { FacetColumns, Facets, Filters } from "./data.js";
import type { FacetCounts, Sort } from "./find.js";

/** What is counted and chosen by value. */
const NAMES = ["category", "brand", "availability"] as const;
/** What a filter of each facet is called. */
export const FACETS = {
  category: ["category"], brand: ["brand"], availability: ["availability"], price: ["price", "minPrice", "maxPrice"],
} as const;

type Name = (typeof NAMES)[number] | "currency";

/** The value of a product. */
const valueOf = (columns: FacetColumns, name: Name, product: number): string | null => {
  if (name === "availability") return columns.availability[product] ?? null;
  const at = columns[name].of[product];
  return at == null ? null : columns[name].values[at]!;
};

const listOf = (wanted: string | readonly string[]): readonly string[] => (typeof wanted === "string" ? [wanted] : wanted);

/** A byte per product, 1 where it fits; undefined where all do. */
export function allowed(columns: FacetColumns, filters: Filters): Uint8Array | undefined {
  const fits: ((product: number) => boolean)[] = [];
  for (const name of [...NAMES, "currency"] as const) {
    const wanted = filters[name];
    // Nothing chosen of a list is no filter.
    if (wanted === undefined || listOf(wanted).length === 0) continue;
    const values = new Set(listOf(wanted));
    fits.push((product) => {
      const value = valueOf(columns, name, product);
      return value !== null && values.has(value);
    });
  }
  const min = Math.max(filters.minPrice ?? -Infinity, filters.price?.[0] ?? -Infinity);
  const max = Math.min(filters.maxPrice ?? Infinity, filters.price?.[1] ?? Infinity);
  if (min > -Infinity || max < Infinity) {
    fits.push((product) => {
      const price = columns.price[product];
      return price != null && price >= min && price <= max;
    });
  }
  if (fits.length === 0) return undefined;
  return Uint8Array.from(columns.price, (_, product) => (fits.every((fit) => fit(product)) ? 1 : 0));
}

/** Filters without those of one facet, or the same ones if it has none. */
export function without(filters: Filters, facet: keyof typeof FACETS): Filters {
  const names: readonly string[] = FACETS[facet];
  const kept = Object.entries(filters).filter(([name, value]) => !names.includes(name) || value === undefined);
  return kept.length === Object.keys(filters).length ? filters : Object.fromEntries(kept);
}

/** The values of some products with their numbers, most frequent first; `chosen` ones also where there are none. */
export function counted(
  columns: FacetColumns, name: Name, products: Iterable<number>, chosen: string | readonly string[] = [],
): [string, number][] {
  const counts = new Map<string, number>(listOf(chosen).map((value) => [value, 0]));
  for (const product of products) {
    const value = valueOf(columns, name, product);
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** Of the products that have a price. */
export function prices(columns: FacetColumns, products: Iterable<number>): FacetCounts["price"] {
  let range: FacetCounts["price"];
  for (const product of products) {
    const price = columns.price[product];
    if (price == null) continue;
    range = range ? { min: Math.min(range.min, price), max: Math.max(range.max, price) } : { min: price, max: price };
  }
  return range;
}

/** What the whole catalogue can be filtered by. */
export function facetsOf(columns: FacetColumns): Facets {
  const all = [...columns.price.keys()];
  const of = (name: Name) => counted(columns, name, all).map(([value, count]) => ({ value, count }));
  return {
    category: of("category"), brand: of("brand"), availability: of("availability"), price: prices(columns, all),
    currencies: of("currency").map(({ value }) => value), newest: columns.listed !== undefined,
  };
}

/** Products in another order; equal ones, and those without a value, stay in theirs, the latter at the end. */
export function sorted(columns: FacetColumns, products: number[], sort: Sort): number[] {
  if (sort === "relevance") return products;
  const column = sort === "newest" ? columns.listed : columns.price;
  const sign = sort === "price" ? 1 : -1;
  const value = (product: number) => {
    const found = column?.[product];
    return found == null ? Infinity : sign * found;
  };
  return [...products].sort((a, b) => (value(a) === value(b) ? 0 : value(a) - value(b)));
}
