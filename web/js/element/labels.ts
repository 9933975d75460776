// Every text that <clip-search> shows or says, in English.

/** `{name}` stands for a value; a function may choose among plural forms. */
export type Label = string | ((values: Record<string, string | number>) => string);

const few = (one: string, other: string) => (values: Record<string, string | number>) =>
  (values.count === 1 ? one : other).replace("{count}", String(values.count));

/** The texts, unless the page gives others. */
export const ENGLISH = {
  /** Name of the region, the field and its button. */
  search: "Search",
  placeholder: "Describe what you are looking for",
  choosePhoto: "Search by photo",
  takePhoto: "Take a photo",
  dropPhoto: "Drop a photo to find what looks like it",
  photo: "Products that look like your photo",
  removePhoto: "Remove the photo",
  /** Name of the button on a product. */
  similar: "Similar to {title}",
  similarTo: "Products like {title}",
  removeSimilar: "Back to the search",
  recent: "Recent searches",
  removeRecent: "Forget {query}",
  clearRecent: "Forget all",
  filters: "Filters",
  /** Of the folded filters, when some are chosen. */
  filtersChosen: "Filters ({count})",
  category: "Category",
  brand: "Brand",
  inStock: "In stock",
  price: "Price",
  priceFrom: "Price from",
  priceTo: "Price to",
  removeFilter: "Remove {filter}",
  clearFilters: "Clear filters",
  showResults: few("Show 1 product", "Show {count} products"),
  close: "Close",
  sort: "Sort by",
  relevance: "Best match",
  cheapest: "Price: low to high",
  dearest: "Price: high to low",
  newest: "Newest",
  results: "Products",
  found: few("1 product", "{count} products"),
  nothing: "No product found",
  foundByWords: few("1 product with these words", "{count} products with these words"),
  nothingByWords: "No product has these words",
  /** Follows the two above while the model is on its way. */
  better: "Better results follow.",
  suggestions: "Try instead:",
  more: "Show more",
  shown: "{shown} of {count} shown",
  searching: "Searching …",
  starting: "Starting the search …",
  downloading: "Search by meaning: {loaded} of {total}",
  downloadingProducts: "Products: {loaded} of {total}",
  downloadingPhotos: "Search by photo: {loaded} of {total}",
  cancel: "Cancel",
  cancelled: "Only words are searched.",
  stopped: "The search was stopped.",
  resume: "Search by meaning",
  failed: "The search does not work at the moment.",
  badPhoto: "This picture cannot be read. Please try another one.",
  retry: "Try again",
  untitled: "Product",
  out_of_stock: "Out of stock",
  preorder: "Preorder",
  backorder: "Back order",
  discontinued: "No longer sold",
} satisfies Record<string, Label>;

/** A text for each name. */
export type Labels = { [name in keyof typeof ENGLISH]: Label };

/** A label with its values filled in. */
export function say(label: Label, values: Record<string, string | number> = {}): string {
  if (typeof label === "function") return String(label(values));
  return String(label).replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}
