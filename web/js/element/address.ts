// The query and the filters in the page's address, so that a search can be sent to somebody, and is
// there again after a reload or the way back from a product.

import { type Filters, LISTS, type Sort, filtersOf, isSort } from "./filters.js";

/** What the address tells. A photo cannot be in it. */
export interface Asked {
  text: string;
  like: { id: string; source?: string } | undefined;
  filters: Filters;
  sort: Sort;
}

/** `price=10-50`, either of which may be missing. */
const PRICE = /^(\d+(?:\.\d+)?)?-(\d+(?:\.\d+)?)?$/;
const names = (key: string) => Object.fromEntries(
  ["like", "like-source", "sort", "price", ...LISTS].map((name) => [name, `${key}-${name}`]),
) as Record<"like" | "like-source" | "sort" | "price" | (typeof LISTS)[number], string>;

/** What an address tells an element whose parameters begin with `key`. */
export function parse(search: string, key: string): Asked {
  const params = new URLSearchParams(search);
  const name = names(key);
  const given: Record<string, unknown> = {};
  for (const list of LISTS) given[list] = params.getAll(name[list]);
  const [, min, max] = PRICE.exec(params.get(name.price) ?? "") ?? [];
  given.price = [min === undefined ? null : Number(min), max === undefined ? null : Number(max)];
  const [sort, like, source] = [params.get(name.sort), params.get(name.like), params.get(name["like-source"])];
  return {
    text: (params.get(key) ?? "").trim().slice(0, 1000),
    like: like === null ? undefined : { id: like, ...(source === null ? {} : { source }) },
    filters: filtersOf(given),
    sort: isSort(sort) ? sort : "relevance",
  };
}

/** The address with that; other parameters stay. */
export function format(search: string, key: string, { text, like, filters, sort }: Asked): string {
  const params = new URLSearchParams(search);
  const name = names(key);
  for (const old of [key, ...Object.values(name)]) params.delete(old);
  if (like) {
    params.set(name.like, like.id);
    if (like.source !== undefined) params.set(name["like-source"], like.source);
  } else if (text !== "") params.set(key, text);
  if (text !== "" || like) {
    for (const list of LISTS) for (const value of filters[list] ?? []) params.append(name[list], value);
    if (filters.price) params.set(name.price, filters.price.map((p) => p ?? "").join("-"));
    if (sort !== "relevance") params.set(name.sort, sort);
  }
  const text_ = params.toString();
  return text_ === "" ? "" : `?${text_}`;
}

/** Keys that elements of this page use. */
const taken = new Map<string, object>();

/** One element's part of the address. */
export class Address {
  private key: string | undefined;
  /** The entry of the history that typing goes on changing. */
  private typing: string | undefined;
  /** What it told when it was last read or written. */
  private told = "";
  private readonly moved = () => {
    this.typing = undefined;
    if (this.key === undefined) return;
    const { told } = this;
    const asked = this.read(this.key);
    // A link within the page, or another script's step back: nothing of this element's.
    if (this.told !== told) this.onMove(asked);
  };

  constructor(private readonly onMove: (asked: Asked) => void) {}

  /** Begins with `key`, or where another element has it with `key2`, …; gives what the address tells. */
  connect(key: string): Asked | undefined {
    this.disconnect();
    if (key === "" || key === "off") return undefined;
    let own = key;
    for (let i = 2; taken.has(own); i += 1) own = `${key}${i}`;
    taken.set(own, this);
    this.key = own;
    addEventListener("popstate", this.moved);
    return this.read(own);
  }

  private read(key: string): Asked {
    const asked = parse(location.search, key);
    this.told = format("", key, asked);
    return asked;
  }

  disconnect(): void {
    if (this.key !== undefined) taken.delete(this.key);
    this.key = this.typing = undefined;
    removeEventListener("popstate", this.moved);
  }

  /** Writes it: a step of the history, but for what is typed, which is one step until it is `done`. */
  write(asked: Asked, done: boolean): void {
    if (this.key === undefined) return;
    const search = format(location.search, this.key, asked);
    const replace = this.typing !== undefined && this.typing === location.search;
    if (search === location.search.replace(/^\?$/, "")) {
      if (done) this.typing = undefined;
      return;
    }
    const url = `${location.pathname}${search}${location.hash}`;
    try {
      if (replace) history.replaceState(history.state, "", url);
      else history.pushState(history.state, "", url);
    } catch {
      // Too many in a short time, or a document without an address of its own.
      return;
    }
    this.read(this.key);
    this.typing = done ? undefined : location.search;
  }
}
