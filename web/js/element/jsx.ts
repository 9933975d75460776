// What may be written on the tag in JSX and templates.

import type { Properties } from "./attributes.js";
import type { ClipSearchEventMap } from "./events.js";
import type { Filters, Sort } from "./filters.js";
import type { Labels } from "./labels.js";

/** Attributes and properties of `<clip-search>`; all may be left out. */
export type ClipSearchAttributes = { [name in Exclude<keyof Properties, "preload">]?: Properties[name] | undefined } & {
  preload?: Properties["preload"] | boolean | undefined;
  labels?: Partial<Labels> | undefined;
  filters?: Filters | undefined;
  sort?: Sort | undefined;
  query?: string | undefined;
};

/** Listeners as JSX writes them: `onclip-search-results={…}`. */
export type ClipSearchListeners = {
  [name in keyof ClipSearchEventMap as `on${name}`]?: ((event: ClipSearchEventMap[name]) => void) | undefined;
};

declare global {
  // Preact's classic types, Solid's, Stencil's; React's are in `clip-everywhere/react`.
  namespace JSX {
    interface IntrinsicElements {
      "clip-search": ClipSearchAttributes & ClipSearchListeners & { [attribute: string]: unknown };
    }
  }
}
