// The files of a catalogue, as `scraper export --format web` writes them.

import { ClipError } from "../runtime/errors.js";
import type { Provenance } from "../clip/protocol.js";

/** A file beside the manifest; its name carries its digest. */
export interface Listed {
  file: string;
  bytes: number;
  sha256: string;
}

/** How much more than the mean of all vectors a product must score for a text: as much as nonsense does. */
export interface Relevance {
  floor: number;
}

/** `manifest.json` */
export interface CatalogueManifest {
  format: "clip-catalogue";
  version: 1;
  provenance: Provenance;
  /** Values of a vector. */
  dim: number;
  /** Vectors. */
  rows: number;
  products: number;
  scan: Listed;
  exact: Listed;
  /** Offset of the first row in the exact file. */
  data: number;
  facets: Listed;
  titles: Listed;
  /** What is searched of the products' texts; exports of older versions have only titles. */
  words?: Listed;
  /** What a text must reach to be found by meaning; where the export could learn it. */
  relevance?: Relevance;
  cards_per_page: number;
  cards: Listed[];
}

/** What is shown of a product. Texts are the shop's: plain text, never HTML. */
export interface Card {
  id: string;
  source?: string;
  title?: string;
  url?: string;
  brand?: string;
  category?: string;
  price?: number;
  currency?: string;
  availability?: "in_stock" | "out_of_stock" | "preorder" | "backorder" | "discontinued";
  /** Row of the first image's vector; the others follow. */
  row: number;
  /** Addresses of the images that have vectors, as the shop's feed wrote them. */
  images: string[];
}

/** A column of repeated texts: `values[of[product]]`. */
interface Column {
  values: string[];
  of: (number | null)[];
}

/** One entry per product in every column. */
export interface FacetColumns {
  category: Column;
  brand: Column;
  currency: Column;
  price: (number | null)[];
  availability: (string | null)[];
  /** The larger, the later the shop listed it; where that is known. */
  listed?: (number | null)[];
}

/** A product must fit each of these that is given; a list means any of its values. */
export interface Filters {
  category?: string | readonly string[] | undefined;
  brand?: string | readonly string[] | undefined;
  /** `"in_stock"` … as on cards. */
  availability?: string | readonly string[] | undefined;
  /** ISO 4217. */
  currency?: string | undefined;
  /** Lowest and highest price, both included. */
  minPrice?: number | undefined;
  maxPrice?: number | undefined;
  /** Both in one; null for no limit. */
  price?: readonly [number | null, number | null] | undefined;
}

/** What can be filtered by. */
export interface Facets {
  /** Values with their numbers of products, most frequent first. */
  category: { value: string; count: number }[];
  brand: { value: string; count: number }[];
  availability: { value: string; count: number }[];
  /** Of the products that have a price; undefined where none has. */
  price: { min: number; max: number } | undefined;
  /** Currencies of the prices, most frequent first. With several a price filter compares numbers only. */
  currencies: string[];
  /** Whether products can be sorted by when the shop listed them. */
  newest: boolean;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): value is string => typeof value === "string";

function isListed(value: unknown): value is Listed {
  return (
    isObject(value) && isText(value.file) && /^[\w.-]+$/.test(value.file) && !value.file.startsWith(".") &&
    isCount(value.bytes) && isText(value.sha256) && /^[0-9a-f]{64}$/.test(value.sha256)
  );
}

/** The error for a file that does not hold what it should. */
export function damaged(url: string, what: string): ClipError {
  return new ClipError("index.format", `${url} ${what}: export the catalogue again with \`scraper export --format web\``);
}

/** `manifest.json`, checked. @throws ClipError of kind `index.format` */
export function parseCatalogue(text: string, url: string): CatalogueManifest {
  const json = parse(text, url);
  if (!isObject(json) || json.format !== "clip-catalogue") throw damaged(url, "is not the manifest of a catalogue");
  if (json.version !== 1) throw damaged(url, `has version ${String(json.version)}, this program reads version 1`);
  const { provenance: p, dim, rows, products, data, cards } = json;
  const sound = isObject(p) && isText(p.model) && isText(p.weights) && isText(p.preprocessing) &&
    isCount(p.numerics) && isText(p.device) && isCount(dim) && dim > 0 && isCount(rows) && isCount(products) &&
    isCount(data) && [json.scan, json.exact, json.facets, json.titles].every(isListed) &&
    (json.words === undefined || isListed(json.words)) &&
    (json.relevance === undefined || (isObject(json.relevance) && Number.isFinite(json.relevance.floor))) &&
    (json.exact as Listed).bytes === data + rows * dim * 4 && isCount(json.cards_per_page) &&
    json.cards_per_page > 0 && Array.isArray(cards) && cards.every(isListed) &&
    cards.length === Math.max(1, Math.ceil(products / json.cards_per_page));
  if (!sound) throw damaged(url, "is damaged");
  return json as unknown as CatalogueManifest;
}

function parse(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(url, "is not JSON");
  }
}

/** The columns that products are filtered by, checked. @throws ClipError of kind `index.format` */
export function parseFacets(text: string, url: string, products: number): FacetColumns {
  const json = parse(text, url);
  const isColumn = (column: unknown): column is Column =>
    isObject(column) && Array.isArray(column.values) && column.values.every(isText) &&
    Array.isArray(column.of) && column.of.length === products &&
    column.of.every((at) => at === null || (isCount(at) && at < (column.values as unknown[]).length));
  const isList = (list: unknown, fits: (value: unknown) => boolean): boolean =>
    Array.isArray(list) && list.length === products && list.every((value) => value === null || fits(value));
  const sound = isObject(json) && isColumn(json.category) && isColumn(json.brand) && isColumn(json.currency) &&
    isList(json.price, Number.isFinite) && isList(json.availability, isText) &&
    (json.listed === undefined || isList(json.listed, Number.isFinite));
  if (!sound) throw damaged(url, "is damaged");
  return json as unknown as FacetColumns;
}

/** The products' titles, checked. @throws ClipError of kind `index.format` */
export function parseTitles(text: string, url: string, products: number): (string | null)[] {
  const json = parse(text, url);
  if (!Array.isArray(json) || json.length !== products || !json.every((t) => t === null || isText(t))) {
    throw damaged(url, "is damaged");
  }
  return json as (string | null)[];
}

/** A page of cards, checked. @throws ClipError of kind `index.format` */
export function parseCards(text: string, url: string): Card[] {
  const json = parse(text, url);
  const sound = Array.isArray(json) && json.every((card) =>
    isObject(card) && isText(card.id) && isCount(card.row) && Array.isArray(card.images) && card.images.every(isText) &&
    ["title", "url", "brand", "category", "currency"].every((name) => card[name] === undefined || isText(card[name])) &&
    (card.price === undefined || Number.isFinite(card.price)));
  if (!sound) throw damaged(url, "is damaged");
  return json as Card[];
}
