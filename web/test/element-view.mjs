// node element-view.mjs FOLDER [NAME …]
//
// How <clip-search> looks and what it says of itself: on a phone, to axe, in every state, and in
// custom-elements.json.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";

import { source, web } from "./compare.mjs";
import { report } from "./report.mjs";
import { TEXT, accessible, close, faults, only, violations, visit } from "./shop.mjs";

const tests = {
  async "phone: two columns, first product seen at once, filters in a sheet"() {
    for (const [width, height] of [[360, 640], [320, 640]]) {
      const context = { viewport: { width, height }, isMobile: true, hasTouch: true };
      await visit(async (page, { event, inside, count }) => {
        await inside("input.query").fill(TEXT);
        await inside(".form .submit").tap();
        await event("results", "model");
        const boxes = await inside(".card").evaluateAll((all) => all.slice(0, 3).map((e) => e.getBoundingClientRect().toJSON()));
        assert.equal(boxes[0].top, boxes[1].top);
        assert.ok(boxes[2].top > boxes[0].top);
        // A gap may have two values.
        const gaps = await page.evaluate(() => {
          const element = document.querySelector("clip-search");
          element.style.setProperty("--clip-search-gap", "20px 10px");
          const { rowGap, columnGap } = getComputedStyle(element.shadowRoot.querySelector(".results"));
          element.style.removeProperty("--clip-search-gap");
          return [rowGap, columnGap];
        });
        assert.deepEqual(gaps, ["20px", "10px"]);
        const bottom = await inside(".picture").first().evaluate((e) => e.getBoundingClientRect().bottom);
        assert.ok(boxes[0].top < height / 2 && bottom < height, `it begins at ${boxes[0].top}, its picture ends at ${bottom}`);
        const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
        assert.ok(wide <= 0, `${wide} pixels too wide`);
        const button = page.getByRole("button", { name: /^Filters/ });
        await button.tap();
        const sheet = page.getByRole("dialog", { name: "Filters" });
        await sheet.waitFor();
        await accessible(page, "sheet");
        // Keys stay in it.
        for (let i = 0; i < 20; i += 1) {
          await page.keyboard.press("Tab");
          const inSheet = await page.evaluate(() => {
            const { activeElement } = document.querySelector("clip-search").shadowRoot;
            return !activeElement || activeElement.closest("dialog") !== null;
          });
          assert.ok(inSheet, "focus has left the sheet");
        }
        const after = await count();
        await sheet.locator("summary").first().click();
        await sheet.getByRole("checkbox").first().check();
        const { total } = await event("results", "model", after);
        await sheet.getByRole("button", { name: `Show ${total} product` }).waitFor();
        await page.keyboard.press("Escape");
        assert.equal(await sheet.isVisible(), false);
        assert.equal(await page.evaluate(() => document.querySelector("clip-search").shadowRoot.activeElement?.className), "filters-button");
        await page.getByRole("button", { name: "Filters (1)" }).waitFor();
        assert.deepEqual(await violations(page), []);
      }, { context });
    }
  },
  async "what is seen never contradicts itself, whatever the state"() {
    const { initial, present } = await source("element/state.ts");
    const { ClipError } = await source("runtime/errors.ts");
    const [query, other] = [{ kind: "text", name: "a" }, { kind: "text", name: "b" }];
    const some = (of, by, total, outdated) => ({ query: of, by, hits: Array(Math.min(total, 12)).fill({}), total, suggestions: ["x"], outdated });
    const choices = {
      query: [undefined, query],
      answer: [undefined, ...[query, other].flatMap((of) => ["words", "model"].flatMap((by) =>
        [0, 5, 50].flatMap((total) => [true, false].map((outdated) => some(of, by, total, outdated)))))],
      work: ["none", "search", "more"],
      downloads: [{}, { catalogue: {} }, { text: {} }, { catalogue: {}, text: {} }],
      words: [undefined, "cancelled", "connection"],
      stopped: [false, true],
      meaning: [false, true],
      error: [undefined, new Error("x"), new ClipError("image.corrupt", "x")],
    };
    let states = [initial()];
    for (const [name, values] of Object.entries(choices)) {
      states = states.flatMap((state) => values.map((value) => ({ ...state, [name]: value })));
    }
    const NOTHING = /^nothing/;
    for (const state of states) {
      const seen = present(state);
      const said = seen.status.map(([name]) => name);
      const has = (pattern) => said.some((name) => pattern.test(name));
      const check = (holds, what) => assert.ok(holds, `${what}: ${JSON.stringify({ state, seen })}`);
      check(!(has(/^searching$/) && has(/^(nothing|found)/)), "searching beside a result");
      check(!(has(NOTHING) && (seen.skeletons || seen.hits.length > 0)), "nothing beside products");
      check(!(has(NOTHING) && has(/^found/)), "nothing and something");
      check(!(seen.skeletons && seen.hits.length > 0), "places beside products");
      check(!(seen.error && (seen.skeletons || has(/^(searching|better|stopped)$/))), "an error beside work");
      check(!(has(/^better$/) && has(/^cancelled$/)), "better and no better");
      check(!(seen.suggestions.length > 0 && !has(NOTHING)), "suggestions beside products");
      check(!(seen.stale && !has(/^searching$/)), "old products that nobody replaces");
      check(seen.more === "none" || (seen.hits.length < seen.total && !seen.stale), "more of what is not there");
      check(!(seen.offer === "retry" && seen.error), "two ways to try again");
      if (state.query && state.work === "search" && !state.error) check(said.length > 0, "work that is not told");
    }
    assert.ok(states.length > 5000, `${states.length}`);
  },
  async "axe: empty, skeletons, pages, menus, chips, similar, nothing; light and dark"() {
    await visit(async (page, { event, type, inside, count }) => {
      faults.pause = 300;
      await type("dress");
      await event("results", "words");
      await accessible(page, "words");
      faults.pause = 0;
      await event("results", "model");
      await inside("summary").first().click();
      await accessible(page, "menu");
      const after = await count();
      await inside("details").first().getByRole("checkbox").first().check();
      await event("results", "model", after);
      await page.keyboard.press("Escape");
      await accessible(page, "chips");
    });
    await visit(async (page, { event, type }) => {
      await type("qqqqxxyy");
      await event("results");
      await page.getByText("No product found").waitFor();
      await accessible(page, "nothing");
    }, { attributes: { mode: "words" } });
    await visit(async (page, { event, type, inside }) => {
      faults.stall = "/shop/";
      await type("dress");
      await inside(".skeletons").waitFor();
      await inside(".progress").waitFor();
      assert.equal(await inside(".status").textContent(), "Searching …");
      await accessible(page, "skeletons");
      await page.getByRole("button", { name: "Cancel" }).click();
      assert.equal(await inside(".status").textContent(), "The search was stopped.");
      assert.equal(await inside(".skeletons").isVisible(), false);
      await accessible(page, "stopped");
      delete faults.stall;
      await page.getByRole("button", { name: "Try again" }).click();
      await event("results", "model");
    });
  },
  async "custom-elements.json tells what is there"() {
    const { modules } = JSON.parse(await readFile(path.join(web, "custom-elements.json"), "utf8"));
    const [declaration] = modules[0].declarations;
    const sort = (list) => [...list].sort();
    const names = (list) => sort(list.map(({ name }) => name));
    await visit(async (page) => {
      const there = await page.evaluate(() => {
        const { prototype, observedAttributes } = customElements.get("clip-search");
        const members = Object.entries(Object.getOwnPropertyDescriptors(prototype))
          .filter(([name]) => !/^(constructor|focus|.*Callback)$/.test(name));
        return {
          attributes: observedAttributes,
          fields: members.filter(([, d]) => d.get).map(([name]) => name),
          methods: members.filter(([, d]) => typeof d.value === "function").map(([name]) => name),
        };
      });
      assert.deepEqual(names(declaration.attributes), sort(there.attributes));
      assert.deepEqual(names(declaration.members.filter(({ kind }) => kind === "field")), sort(there.fields));
      assert.deepEqual(names(declaration.members.filter(({ kind }) => kind === "method")), sort(there.methods));
    });
    const events = await readFile(path.join(web, "js/element/events.ts"), "utf8");
    assert.deepEqual(names(declaration.events), sort([...events.matchAll(/^ {2}"(clip-search-\w+)":/gm)].map(([, name]) => name)));
    assert.deepEqual(names(declaration.cssParts), await partsOf());
    const style = await readFile(path.join(web, "js/element/style.ts"), "utf8");
    assert.deepEqual(names(declaration.cssProperties), sort(new Set([...style.matchAll(/var\((--clip-search-[\w-]+)/g)].map(([, name]) => name))));
    for (const list of ["attributes", "members", "events", "cssParts", "cssProperties"]) {
      assert.ok(declaration[list].every(({ description }) => description?.length > 3), `${list} without a description`);
    }
    const readme = await readFile(path.join(web, "README.md"), "utf8");
    for (const { name } of [...declaration.attributes, ...declaration.events, ...declaration.cssParts]) {
      assert.ok(readme.includes(`\`${name}\``), `README.md says nothing of ${name}`);
    }
  },
};
/** All names of parts in the element's sources. */
async function partsOf() {
  const found = new Set();
  const folder = path.join(web, "js/element");
  for (const file of await readdir(folder)) {
    const text = await readFile(path.join(folder, file), "utf8");
    // `part("tag", "name"` unless the attributes name others.
    for (const [, name, others] of text.matchAll(/\bpart\(\s*"\w+",\s*"([\w -]+)"(?:,\s*\{[^}]*?\bpart: "([\w -]+)")?/g)) {
      for (const one of (others ?? name).split(" ")) found.add(one);
    }
    for (const [, names] of text.matchAll(/\bmake\(\s*"\w+",\s*\{[^}]*?\bpart: "([\w -]+)"/g)) for (const one of names.split(" ")) found.add(one);
  }
  return [...found].sort();
}

await report(tests, only, close);
