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
  filters: "Filters",
  category: "Category",
  brand: "Brand",
  all: "All",
  priceFrom: "Price from",
  priceTo: "Price to",
  results: "Products",
  found: few("1 product", "{count} products"),
  nothing: "No product found",
  foundByTitle: few("1 product by its title", "{count} products by their titles"),
  nothingByTitle: "No title matches",
  /** Follows the two above while the model is on its way. */
  better: "Better results follow as soon as the search is ready.",
  searching: "Searching …",
  starting: "Starting the search …",
  downloading: "Getting the search ready: {loaded} of {total}",
  cancel: "Cancel",
  cancelled: "Only titles are searched.",
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
