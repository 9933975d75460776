// Which of the products that are found are wanted, and in which order.

/** A product must fit each of these that is given; of a list, one. */
export interface Filters {
  category?: readonly string[];
  brand?: readonly string[];
  availability?: readonly string[];
  /** Lowest and highest price, both included; null for no limit. */
  price?: readonly [number | null, number | null];
}

/** The facets with values to choose among. */
export const LISTS = ["category", "brand", "availability"] as const;

/** The order of the products. */
export type Sort = "relevance" | "price" | "-price" | "newest";
export const SORTS: readonly Sort[] = ["relevance", "price", "-price", "newest"];
export const isSort = (value: unknown): value is Sort => SORTS.includes(value as Sort);

/** Filters of anything, e.g. of a property that a framework has set: what cannot be understood is left out. */
export function filtersOf(value: unknown): Filters {
  const given = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const filters: Filters = {};
  for (const name of LISTS) {
    const list = (Array.isArray(given[name]) ? given[name] : [given[name]]).filter((v): v is string => typeof v === "string");
    if (list.length > 0) filters[name] = [...new Set(list)];
  }
  if (Array.isArray(given.price)) {
    const [min, max] = given.price.map((p: unknown) => (typeof p === "number" && Number.isFinite(p) ? p : null));
    if (min != null || max != null) filters.price = [min ?? null, max ?? null];
  }
  return filters;
}

/** How many choices there are. */
export const countOf = (filters: Filters): number =>
  LISTS.reduce((sum, name) => sum + (filters[name]?.length ?? 0), filters.price ? 1 : 0);

/** Without a choice, or without the whole facet. */
export function without(filters: Filters, name: keyof Filters, value?: string): Filters {
  const { [name]: list, ...rest } = filters;
  if (name === "price" || value === undefined) return rest;
  return filtersOf({ ...rest, [name]: (list as readonly string[] | undefined)?.filter((v) => v !== value) });
}

export const isSameFilters = (a: Filters, b: Filters): boolean => {
  const text = (f: Filters) => JSON.stringify([...LISTS.map((name) => [...(f[name] ?? [])].sort()), f.price]);
  return text(a) === text(b);
};
