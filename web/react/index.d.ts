import type { ForwardRefExoticComponent, HTMLAttributes, RefAttributes } from "react";

import type {
  ClipSearch as Element, ClipSearchAttributes, ClipSearchEventMap, ClipSearchListeners,
} from "../dist/types/element/index.js";

export type { ClipSearchAttributes, ClipSearchEventMap };
/** The element that a `ref` holds. */
export type ClipSearchElement = Element;

type Html = Omit<
  HTMLAttributes<Element>,
  keyof ClipSearchAttributes | "children" | "results" | "onSelect" | "onError" | "onProgress"
>;

/** Props of [`ClipSearch`]. */
export interface ClipSearchProps extends Html, ClipSearchAttributes {
  onResults?: ((event: ClipSearchEventMap["clip-search-results"]) => void) | undefined;
  onProgress?: ((event: ClipSearchEventMap["clip-search-progress"]) => void) | undefined;
  /** A product was chosen; `preventDefault()` keeps its link from being followed. */
  onSelect?: ((event: ClipSearchEventMap["clip-search-select"]) => void) | undefined;
  onError?: ((event: ClipSearchEventMap["clip-search-error"]) => void) | undefined;
}

/** `<clip-search>`. */
export declare const ClipSearch: ForwardRefExoticComponent<ClipSearchProps & RefAttributes<Element>>;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "clip-search": Html & ClipSearchAttributes & ClipSearchListeners & RefAttributes<Element> & { class?: string };
    }
  }
}
