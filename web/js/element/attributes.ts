// The attributes of <clip-search>, each with a property of the same name that reflects it.

/** How an attribute is read. Whatever is written to the property, reading never fails. */
type Reader<T> = (value: string | null) => T;

const text = (fallback = ""): Reader<string> => (value) => value ?? fallback;
const flag: Reader<boolean> = (value) => value !== null && value !== "false";
const count = <T extends number | undefined>(fallback: T, least = 1): Reader<number | T> => (value) => {
  const number = value === null || value.trim() === "" ? NaN : Number(value);
  return Number.isSafeInteger(number) && number >= least ? number : fallback;
};
const choice = <T extends string>(fallback: T, ...others: T[]): Reader<T> => (value) =>
  others.includes(value as T) ? (value as T) : fallback;

/** Every attribute, and how it is read. */
export const ATTRIBUTES = {
  /** Address of the folder of `scraper export --format web`. */
  index: text(),
  /** Address of the folder of `scraper model pack`. */
  model: text(),
  /** Address of a server that embeds queries until the model is there; see `endpoint.ts`. */
  endpoint: text(),
  mode: choice<"hybrid" | "words" | "vector">("hybrid", "words", "vector"),
  /** Products of a page. */
  limit: count(24),
  paging: choice<"more" | "endless" | "none">("more", "endless", "none"),
  /** Milliseconds without a key before what was typed is searched for. */
  debounce: count(200, 0),
  placeholder: text(),
  /** What is downloaded without waiting for a focus: nothing, the catalogue's words, or the model, too. */
  preload: ((value) => (value === null || value === "none" || value === "false" ? "none" : value === "words" ? value : "all")) as
    Reader<"none" | "words" | "all">,
  /** Remembers queries on this device. */
  recent: flag,
  /** Begins the names of the parameters in the page's address; `off` leaves the address alone. */
  url: text("clip"),
  threads: count(undefined),
  tokens: choice<"fill" | "blocks" | "whole">("fill", "blocks", "whole"),
  // A visitor waits, and does not compare bits.
  precision: choice<"auto" | "exact">("auto", "exact"),
} satisfies Record<string, Reader<unknown>>;

/** An attribute's name. */
export type Attribute = keyof typeof ATTRIBUTES;

/** Those that decide what is searched in, and with what. */
export const DECIDING: ReadonlySet<Attribute> = new Set(["index", "model", "endpoint", "threads", "tokens", "precision"]);

/** The properties that reflect the attributes. */
export type Properties = { -readonly [name in Attribute]: ReturnType<(typeof ATTRIBUTES)[name]> };

/** An attribute's value. */
export const read = <N extends Attribute>(element: Element, name: N): Properties[N] =>
  ATTRIBUTES[name](element.getAttribute(name)) as Properties[N];

/** Frameworks set properties to whatever their users wrote: this never throws. */
function write(element: Element, name: Attribute, value: unknown): void {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else {
    let written = "";
    try {
      written = value === true ? "" : String(value);
    } catch {
      // an object without a text
    }
    element.setAttribute(name, written);
  }
}

/** Gives `prototype` a property for each attribute. */
export function reflect(prototype: Element): void {
  for (const name of Object.keys(ATTRIBUTES) as Attribute[]) {
    Object.defineProperty(prototype, name, {
      configurable: true, enumerable: true,
      get(this: Element) {
        return read(this, name);
      },
      set(this: Element, value: unknown) {
        write(this, name, value);
      },
    });
  }
}

/** What was set on `element` before its class was there, set again: now it reaches the class. */
export function upgrade(element: Element, names: readonly string[]): void {
  const own = element as unknown as Record<string, unknown>;
  for (const name of names) {
    if (!Object.hasOwn(own, name)) continue;
    const value = own[name];
    delete own[name];
    own[name] = value;
  }
}

/** How prices and sizes are written: the nearest `lang`. */
export const locale = (element: Element): string | undefined =>
  element.closest("[lang]")?.getAttribute("lang") || undefined;
