// node find.mjs FOLDER [NAME …]
//
// `Catalogue.find` in Node, on the shop of the built-in model, against what `scraper search` finds in it:
// by words, by vectors and by both, with filters. FOLDER is target/web: packed/tiny, find and find.json.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { web } from "./compare.mjs";
import { report } from "./report.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const shop = path.join(folder, "find");
const expected = JSON.parse(await readFile(path.join(folder, "find.json"), "utf8"));
const manifest = JSON.parse(await readFile(path.join(shop, "manifest.json"), "utf8"));
const module = (name) => import(pathToFileURL(path.join(web, "dist", name)));
const [{ Catalogue }, { Clip }] = [await module("catalogue.js"), await module("index.js")];
const clip = await Clip.load({ model: path.join(folder, "packed/tiny"), towers: "text" });
const catalogue = await Catalogue.open(shop, { cache: false });
const texts = [...new Set(expected.map(({ text }) => text))];
const embeddings = new Map();
for (const text of texts) embeddings.set(text, await clip.embedText(text));

const bits = (score) => score === undefined ? undefined : new Uint32Array(Float32Array.of(score).buffer)[0];
const shown = (hits) => hits.map(({ id, image, score, words = [] }) => [id, image, bits(score), words.join("|")]);
const ids = ({ hits }) => hits.map(({ id }) => id);
/** The export as another version, or a damaged one, in a folder of its own. */
async function changed(change, work) {
  const copy = await mkdtemp(path.join(os.tmpdir(), "find-"));
  try {
    await cp(shop, copy, { recursive: true, filter: (name) => !name.includes("images") });
    const altered = structuredClone(manifest);
    await change(altered, copy);
    await writeFile(path.join(copy, "manifest.json"), JSON.stringify(altered));
    return await work(copy);
  } finally {
    await rm(copy, { recursive: true });
  }
}

const tests = {
  async "hits, order, images, bits and marked words of `scraper search`, in every mode and with filters"() {
    assert.ok(expected.length >= 100 && expected.some(({ hits }) => hits.length === 20));
    for (const { text, mode, filters, hits } of expected) {
      const embedding = embeddings.get(text);
      const found = await catalogue.find({ text, embedding }, { mode, filters, limit: 20 });
      const what = `${text}, ${mode}, ${JSON.stringify(filters)}`;
      // By vectors alone, the program marks no words.
      const native = mode === "vector" ? hits.map((hit) => ({ ...hit, words: [] })) : hits;
      const own = mode === "vector" ? found.hits.map((hit) => ({ ...hit, words: [] })) : found.hits;
      assert.deepEqual(shown(own), shown(native), what);
      assert.ok(found.hits.every((hit) => hit.exact === (hit.score !== undefined)), what);
      assert.ok(found.total >= found.hits.length && (found.hits.length === 20 || found.total === found.hits.length), what);
    }
  },
  async "what means nothing finds nothing, and suggests words of the catalogue"() {
    assert.ok(manifest.relevance.floor > 0);
    for (const mode of ["hybrid", "vector"]) {
      const { hits, total, facets, suggestions } = await catalogue.find(
        { text: "asdfghjkl", embedding: embeddings.get("asdfghjkl") }, { mode },
      );
      assert.deepEqual([hits, total, facets], [[], 0, { category: [], brand: [], availability: [] }]);
      assert.ok(suggestions.length > 0, "no suggestions");
    }
    const { suggestions } = await catalogue.find({ text: "norrffoldd" });
    assert.equal(suggestions[0], "norrfold");
    // Without a floor, as in exports of older versions, something is always nearest.
    await changed((manifest) => delete manifest.relevance, async (copy) => {
      const old = await Catalogue.open(copy, { cache: false });
      const { total } = await old.find({ text: "asdfghjkl", embedding: embeddings.get("asdfghjkl") }, { mode: "vector" });
      assert.equal(total, Math.min(100, manifest.products));
      old.dispose();
    });
  },
  async "ids, titles and brands come first"() {
    const find = (text) => catalogue.find({ text, embedding: embeddings.get(text) });
    assert.equal(ids(await find("DS-00007"))[0], "DS-00007");
    assert.equal(ids(await find("ds 00012"))[0], "DS-00012");
    const { hits, total } = await find("norfold");
    const own = (await catalogue.find({ text: "" }, { filters: { brand: "Norrfold" } })).total;
    assert.ok(own > 3 && hits.slice(0, own).every(({ card }) => card.brand === "Norrfold"));
    assert.ok(total >= own);
  },
  async "pages, orders and totals"() {
    const query = { text: "dress", embedding: embeddings.get("red dress") };
    const all = await catalogue.find(query, { limit: 1000 });
    assert.equal(all.hits.length, all.total);
    assert.equal(new Set(ids(all)).size, all.total);
    const pages = [];
    for (let offset = 0; offset < all.total; offset += 7) pages.push(...ids(await catalogue.find(query, { offset, limit: 7 })));
    assert.deepEqual(pages, ids(all));
    assert.deepEqual(ids(await catalogue.find(query, { offset: all.total })), []);
    const prices = ({ hits }) => hits.map(({ card }) => card.price);
    const cheap = prices(await catalogue.find(query, { limit: 1000, sort: "price" }));
    assert.deepEqual(cheap, [...cheap].sort((a, b) => a - b));
    assert.deepEqual(prices(await catalogue.find(query, { limit: 1000, sort: "-price" })), [...cheap].reverse());
    // All came with one run: nothing is known to be newer.
    assert.equal(catalogue.info.facets.newest, false);
    assert.deepEqual(ids(await catalogue.find(query, { limit: 1000, sort: "newest" })), ids(all));
    await changed(async (manifest, copy) => {
      const facets = JSON.parse(await readFile(path.join(copy, manifest.facets.file), "utf8"));
      facets.listed = facets.price.map((_, i) => i);
      const bytes = Buffer.from(JSON.stringify(facets));
      await writeFile(path.join(copy, manifest.facets.file), bytes);
      const sha256 = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((b) => b.toString(16).padStart(2, "0"));
      Object.assign(manifest.facets, { bytes: bytes.length, sha256: sha256.join("") });
    }, async (copy) => {
      const dated = await Catalogue.open(copy, { cache: false });
      assert.equal(dated.info.facets.newest, true);
      const newest = ids(await dated.find({ text: "" }, { sort: "newest", limit: 1000 }));
      assert.deepEqual(newest, ids(await dated.find({ text: "" }, { limit: 1000 })).reverse());
      dated.dispose();
    });
  },
  async "counts of facets: of what is found, and not narrowed by their own choice"() {
    const query = { text: "red dress", embedding: embeddings.get("red dress") };
    const all = await catalogue.find(query, { limit: 1000 });
    const count = (name, hits) => {
      const counts = new Map();
      for (const { card } of hits) if (card[name] !== undefined) counts.set(card[name], (counts.get(card[name]) ?? 0) + 1);
      return Object.fromEntries(counts);
    };
    for (const name of ["category", "brand", "availability"]) {
      assert.deepEqual(Object.fromEntries(all.facets[name]), count(name, all.hits), name);
      const counts = all.facets[name].map(([, count]) => count);
      assert.deepEqual(counts, [...counts].sort((a, b) => b - a));
    }
    const prices = all.hits.map(({ card }) => card.price);
    assert.deepEqual(all.facets.price, { min: Math.min(...prices), max: Math.max(...prices) });
    const [[brand]] = all.facets.brand;
    const chosen = await catalogue.find(query, { limit: 1000, filters: { brand: [brand] } });
    assert.deepEqual(chosen.facets.brand, all.facets.brand);
    assert.deepEqual(Object.fromEntries(chosen.facets.category), count("category", chosen.hits));
    const none = await catalogue.find(query, { filters: { brand: "nobody" } });
    assert.deepEqual([none.total, none.facets.brand.find(([value]) => value === "nobody")], [0, ["nobody", 0]]);
    // An empty choice is none; both ways to say a price are one.
    assert.deepEqual(ids(await catalogue.find(query, { filters: { brand: [] } })), ids(await catalogue.find(query)));
    assert.deepEqual(
      ids(await catalogue.find(query, { filters: { price: [20, 60] } })),
      ids(await catalogue.find(query, { filters: { minPrice: 20, maxPrice: 60, currency: "EUR" } })),
    );
  },
  async "products like one of the catalogue: by its own vectors, without a model, and not itself"() {
    const { hits, total } = await catalogue.find({ like: { id: "DS-00001" } }, { limit: 5 });
    assert.equal(hits.length, 5);
    assert.ok(hits.every(({ id, score, exact }) => id !== "DS-00001" && exact && score > 0.5));
    assert.deepEqual(hits.map(({ score }) => score), hits.map(({ score }) => score).sort((a, b) => b - a));
    assert.equal(total, Math.min(100, manifest.products - 1));
    // The other way round it is as near.
    const back = await catalogue.find({ like: { id: hits[0].id, source: "" } }, { limit: 200 });
    assert.equal(back.hits.find(({ id }) => id === "DS-00001").score, hits[0].score);
    await assert.rejects(catalogue.find({ like: { id: "none" } }), { kind: "input" });
  },
  async "an export of an older version: titles, brands and categories are searched"() {
    await changed(async (manifest) => {
      delete manifest.words;
      delete manifest.relevance;
    }, async (copy) => {
      const old = await Catalogue.open(copy, { cache: false });
      const { hits: [{ card: { title } }] } = await catalogue.find({ text: "" }, { offset: 40, limit: 1 });
      assert.equal((await old.find({ text: title.toUpperCase() })).hits[0].card.title, title);
      const quince = ({ hits }) => new Set(ids({ hits: hits.filter(({ card }) => card.brand === "Atelier Quince") }));
      const wanted = await catalogue.find({ text: "atelier quince" }, { limit: 1000 });
      assert.deepEqual(quince(await old.find({ text: "atelier quince" }, { limit: 1000 })), quince(wanted));
      // Its words have no ids and no attributes.
      assert.equal((await old.find({ text: "DS-00007" })).total, 0);
      const like = { like: { id: "DS-00100" } };
      assert.deepEqual(ids(await old.find(like)), ids(await catalogue.find(like)));
      old.dispose();
    });
  },
  async "words come first: the codes may still be on their way, or damaged"() {
    const server = await serve({ "/shop/": shop });
    try {
      server.faults.refuse = `/shop/${manifest.scan.file}`;
      const early = await Catalogue.open(`${server.origin}/shop/`, { cache: false });
      assert.equal(early.ready, "words");
      const { total, hits } = await early.find({ text: "dresses" }, { filters: { category: "Clothing > Dresses" } });
      assert.ok(total > 0 && hits.every(({ score, exact, words }) => score === undefined && !exact && words.length > 0));
      await assert.rejects(early.loadVectors());
      await assert.rejects(early.find({ text: "red dress", embedding: embeddings.get("red dress") }));
      server.faults.refuse = undefined;
      await early.loadVectors();
      assert.equal(early.ready, "vector");
      const found = await early.find({ text: "red dress", embedding: embeddings.get("red dress") });
      assert.deepEqual(ids(found), ids(await catalogue.find({ text: "red dress", embedding: embeddings.get("red dress") })));
      early.dispose();
    } finally {
      server.close();
    }
  },
  async "codes that are asked for come when they are, and not before"() {
    const server = await serve({ "/shop/": shop });
    try {
      const asked = await Catalogue.open(`${server.origin}/shop/`, { cache: false, vectors: "asked" });
      const codes = () => server.log.filter(({ url }) => url.includes(manifest.scan.file)).length;
      assert.ok((await asked.find({ text: "dress" })).total > 0);
      assert.deepEqual([codes(), asked.ready], [0, "words"]);
      await asked.find({ like: { id: "DS-00001" } });
      assert.deepEqual([codes(), asked.ready], [1, "vector"]);
      await asked.loadVectors();
      assert.equal(codes(), 1);
      asked.dispose();
    } finally {
      server.close();
    }
  },
  async "what makes no sense is refused"() {
    const kind = (promise) => promise.then(() => "fine", (error) => error.kind ?? String(error));
    const embedding = embeddings.get("wool");
    assert.deepEqual(await Promise.all([
      catalogue.find({}), catalogue.find({ text: 5 }), catalogue.find({ text: "x" }, { mode: "both" }),
      catalogue.find({ text: "x" }, { sort: "size" }), catalogue.find({ text: "x" }, { offset: -1 }),
      catalogue.find({ embedding: embedding.normalized }), catalogue.find({ text: "" }), catalogue.find({ embedding }),
      catalogue.find({ embedding: { ...embedding, provenance: { ...embedding.provenance, weights: "other" } } }),
    ].map(kind)), ["input", "input", "input", "input", "input", "input", "fine", "fine", "index.provenance"]);
  },
};

await report(tests, only, async () => {
  clip.dispose();
  catalogue.dispose();
});
