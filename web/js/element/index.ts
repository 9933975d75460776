/**
 * Search for a shop: importing this registers `<clip-search>` (in a browser; elsewhere it does
 * nothing).
 *
 * ```html
 * <clip-search index="/shop/" model="/model/"></clip-search>
 * ```
 */

import { ClipSearch } from "./element.js";

export { ClipSearch };
export type { Properties } from "./attributes.js";
export type { ClipSearchEventMap, ErrorDetail, ProgressDetail, ResultsDetail, SelectDetail } from "./events.js";
export type { Filters, Sort } from "./filters.js";
export type { Label, Labels } from "./labels.js";
export type { Result } from "./results.js";
export type { ClipSearchAttributes, ClipSearchListeners } from "./jsx.js";
export { type Card, Catalogue, type CatalogueInfo, ClipError, type Facets, type Hit } from "../catalogue/index.js";

if (globalThis.customElements && !customElements.get("clip-search")) customElements.define("clip-search", ClipSearch);

declare global {
  interface HTMLElementTagNameMap {
    "clip-search": ClipSearch;
  }
}
