// What the attributes of <clip-search> say.

import type { SessionOptions } from "./session.js";

/** What to search with. */
export function settings(element: Element): Omit<SessionOptions, "onProgress" | "onWarning"> {
  return {
    index: element.getAttribute("index") ?? "",
    model: element.getAttribute("model") ?? "",
    threads: positive(element, "threads"),
    tokens: (element.getAttribute("tokens") ?? undefined) as SessionOptions["tokens"],
    // A visitor waits, and does not compare bits.
    precision: element.getAttribute("precision") === "exact" ? "exact" : "auto",
  };
}

/** Products shown. */
export const limit = (element: Element): number => positive(element, "limit") ?? 24;

/** How prices and sizes are written: the nearest `lang`. */
export const locale = (element: Element): string | undefined =>
  element.closest("[lang]")?.getAttribute("lang") || undefined;

function positive(element: Element, name: string): number | undefined {
  const number = Number(element.getAttribute(name));
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}
