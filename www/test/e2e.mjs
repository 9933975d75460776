// node e2e.mjs SITE WORK [NAME …]
//
// The built page in Chromium, in a folder of a host as on GitHub Pages. SITE holds the page and what
// the native program made of the self-check (native.json); WORK what it made of it with one weight
// moved by one ulp (moved.json).

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { SWIFTSHADER } from "../../web/test/browsers.mjs";
import { report } from "../../web/test/report.mjs";
import { idle, inspectSample, inspectText, openSite } from "./visit.mjs";

const [siteFolder, workFolder, ...only] = process.argv.slice(2);
const folder = path.resolve(siteFolder);
const read = async (...parts) => JSON.parse(await readFile(path.join(...parts), "utf8"));
const native = await read(folder, "native.json");
const site = await read(folder, "site.json");
const movedText = await readFile(path.join(path.resolve(workFolder), "moved.json"), "utf8");
const axe = await readFile(path.resolve(import.meta.dirname, "../node_modules/axe-core/axe.min.js"), "utf8");
const SAMPLE = path.join(folder, site.check.image);

const { visit, server, close } = await openSite(folder);
const [nativeImage, nativeText] = native;

/** Stages as the page shows them: `[name, sha256]`. */
const shownStages = (page, table = "#inspection .stages") => page.locator(`${table} tbody tr`).evaluateAll((rows) =>
  rows.map((row) => [row.querySelector("th").textContent, row.querySelector(".digest").title]));
const stagesOf = (run) => run.trace.map(({ name, sha256 }) => [name, sha256]);
const verdict = async (page) => {
  await page.locator("#comparison .verdict").waitFor();
  return page.locator("#comparison .verdict").innerText();
};
const go = async (page, name) => {
  await page.locator(`nav a[href="#${name}"]`).click();
  await page.locator(`#view-${name}`).waitFor();
};

/** What axe-core finds in what is shown now. */
async function violations(page) {
  // As a debugger does it: the page's own policy lets no other script in.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ""}`).join("; ")}`);
  });
}

/** Drops a file on an element, or pastes it into the page. */
const hand = (page, kind, selector, bytes, name, type) => page.evaluate(({ kind, selector, base64, name, type }) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
  const event = kind === "drop"
    ? new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data })
    : new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: data });
  (selector ? document.querySelector(selector) : document).dispatchEvent(event);
}, { kind, selector, base64: Buffer.from(bytes).toString("base64"), name, type });

/** All tools with results on the page. */
async function useAll(page) {
  await page.locator('nav a[href="#inspect"]').click();
  await inspectSample(page);
  await page.locator("#inspection").getByRole("button", { name: "Compare it" }).click();
  await page.locator("[data-side=b] textarea").fill(movedText);
  await verdict(page);
  await go(page, "matrix");
  await page.locator("#matrix-example").click();
  await page.waitForFunction(() => document.querySelectorAll("#matrix tbody tr").length === 8);
  await go(page, "classify");
  await page.locator("#classify-example").click();
  await page.locator("#classification tbody tr").first().waitFor();
  await go(page, "rankings");
  await page.locator("#rankings-examples button").first().click();
  await page.locator("#rankings tbody tr").first().waitFor();
  await go(page, "report");
  await page.locator("#report-run").click();
  await page.locator("#report .verdict").waitFor();
}

const toGpu = (page) => page.getByLabel("This device’s GPU, if it comes within 1e-5 of them").check();

const tests = {
  async "inspect: a GPU that is not there is told, and the result stays the native program's"() {
    await visit({ hash: "#inspect" }, async (page) => {
      await toGpu(page);
      await inspectSample(page);
      assert.match(await page.locator("#inspection .note").innerText(), /computed without the GPU: the browser offers no GPU/);
      assert.deepEqual(await shownStages(page), stagesOf(nativeImage));
    });
  },
  async "inspect: what the GPU computes is compared with the native program, stage by stage"() {
    const gpu = await openSite(folder, SWIFTSHADER);
    try {
      await gpu.visit({ hash: "#inspect" }, async (page) => {
        await inspectSample(page);
        assert.deepEqual(await shownStages(page), stagesOf(nativeImage));
        await toGpu(page);
        await page.locator("#inspection .note").waitFor();
        assert.match(await page.locator("#inspection .note").innerText(), /rounds a fused multiply-add twice/);
        assert.match(await page.locator("#inspection .facts").innerText(), /GPU\n.*SwiftShader/i);
        const stages = await shownStages(page);
        assert.deepEqual(stages.map(([name]) => name), stagesOf(nativeImage).map(([name]) => name));
        await page.locator("#inspection").getByRole("button", { name: "Compare it" }).click();
        await page.locator("[data-side=b] textarea").fill(JSON.stringify([nativeImage]));
        assert.match(await verdict(page), /They part at/);
        assert.match(await page.locator("#comparison").innerText(), /which does not promise the same bits/);
      });
    } finally {
      await gpu.close();
    }
  },
  async "search: on a phone the first product is there without scrolling"() {
    await visit({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true }, async (page) => {
      const box = page.locator("clip-search input[type=search]");
      await box.fill(site.samples[0].title);
      await box.press("Enter");
      const picture = page.locator("clip-search .results img").first();
      await picture.waitFor();
      await page.evaluate(() => window.scrollTo(0, 0));
      const { y } = await picture.boundingBox();
      assert.ok(y < 440, `the first picture begins at ${y} of 640 pixels`);
    });
  },
  async "classify: the labels of a picture are ranked, and the certainties add up to one"() {
    await visit({ hash: "#classify" }, async (page) => {
      await page.locator("#classify-labels").fill("bag\ndress\nhat\ndress\n");
      await page.locator("#classify-example").click();
      const rows = page.locator("#classification tbody tr");
      await rows.first().waitFor();
      const found = await rows.evaluateAll((all) => all.map((row) => [row.children[0].textContent, Number(row.children[1].textContent)]));
      assert.deepEqual(found.map(([label]) => label).sort(), ["bag", "dress", "hat"]);
      const scores = found.map(([, score]) => score);
      assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
      assert.ok(Math.abs(scores.reduce((sum, x) => sum + x, 0) - 1) < 0.003, String(scores));
      await page.locator("#classify-labels").fill(" ");
      await page.locator("#classify-form button").click();
      await page.locator("#view-classify .error").waitFor();
    });
  },
  async "rankings: one query by words, by meaning, and by both"() {
    await visit({ hash: "#rankings" }, async (page) => {
      const [{ title }] = site.samples;
      await page.locator("#rankings-text").fill(title);
      await page.locator("#rankings-form button").click();
      const row = page.locator("#rankings tbody tr").first();
      await row.waitFor();
      const [, words, , both] = await row.locator("th, td").allInnerTexts();
      assert.ok(words.startsWith(title) && both.startsWith(title), `${words} | ${both}`);
    });
  },
  async "search: the shop is searched by words, and a product goes to the inspector"() {
    await visit({}, async (page) => {
      const box = page.locator("clip-search input[type=search]");
      const found = page.evaluate(() => new Promise((resolve) => {
        document.querySelector("clip-search").addEventListener("clip-search-results", (event) => {
          if (event.detail.by === "model") resolve({ kind: event.detail.kind, ids: event.detail.hits.map((hit) => hit.id) });
        });
      }));
      await box.fill(site.samples[1].caption);
      await box.press("Enter");
      const { kind, ids } = await found;
      assert.equal(kind, "text");
      // What means no more to the model than nonsense is not shown.
      assert.ok(ids.includes(site.samples[1].id) && ids.length <= 24, String(ids));
      const picture = page.locator("clip-search .results img").first();
      await picture.waitFor();
      assert.ok(await picture.evaluate(async (img) => {
        await img.decode();
        return img.naturalWidth;
      }) > 0);
      await picture.click();
      await page.locator("#inspection .journey").waitFor();
      assert.equal(await page.evaluate(() => location.hash), "#inspect");
      assert.equal(await page.locator("#inspection h2").innerText(), `${ids[0]}-1.jpg`);
    });
  },
  async "inspector: every stage of a picture is the native program's, and the crop shown is the one digested"() {
    await visit({ hash: "#inspect" }, async (page) => {
      await inspectSample(page);
      assert.deepEqual(await shownStages(page), stagesOf(nativeImage));
      const crop = await page.locator("#inspection canvas").nth(2).evaluate(async (canvas) => {
        const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const rgb = data.filter((_, i) => i % 4 !== 3);
        const hash = await crypto.subtle.digest("SHA-256", rgb);
        return [width, height, Array.from(new Uint8Array(hash), (b) => b.toString(16).padStart(2, "0")).join("")];
      });
      assert.deepEqual(crop, [224, 224, nativeImage.trace.find((s) => s.name === "cropped").sha256]);
      const facts = await page.locator("#inspection .facts").innerText();
      for (const word of ["Kernel path", "wasm-", "Threads", "Memory", "ms"]) assert.ok(facts.includes(word), word);
      assert.match(await page.locator("#inspection .chart svg").getAttribute("aria-label"), new RegExp(`${nativeImage.dim} values of length 1\\.0000`));
    });
  },
  async "inspector: a text has its token chips and the native program's stages"() {
    await visit({ hash: "#inspect" }, async (page) => {
      await inspectText(page, site.check.text);
      assert.deepEqual(await shownStages(page), stagesOf(nativeText));
      const chips = await page.locator("#inspection .chip").evaluateAll((all) => all.map((chip) => [...chip.children].map((c) => c.textContent)));
      assert.deepEqual(chips.map(([piece]) => piece), ["<|startoftext|>", "a", "red", "floral", "dress", "<|endoftext|>"]);
      const ids = createHash("sha256").update(Uint32Array.from(chips, ([, id]) => Number(id)));
      assert.equal(ids.digest("hex"), nativeText.trace[0].sha256);
      await inspectText(page, "Größe 👗");
      assert.ok(await page.locator("#inspection .joined").count() > 0);
    });
  },
  async "inspector: dropped and pasted pictures, and what is no picture"() {
    await visit({ hash: "#inspect" }, async (page) => {
      const bytes = await readFile(SAMPLE);
      await hand(page, "drop", "[data-drop=inspect]", bytes, "dropped.jpg", "image/jpeg");
      await page.getByRole("heading", { name: "dropped.jpg" }).waitFor();
      await hand(page, "paste", undefined, bytes, "pasted.jpg", "image/jpeg");
      await page.getByRole("heading", { name: "pasted.jpg" }).waitFor();
      assert.deepEqual(await shownStages(page), stagesOf(nativeImage));
      await hand(page, "drop", "[data-drop=inspect]", Buffer.from("<html>"), "page.jpg", "image/jpeg");
      await page.locator("#view-inspect .error").waitFor();
      assert.match(await page.locator("#view-inspect .error").innerText(), /not an image/i);
      await page.locator("#inspect-samples button").nth(1).click();
      await page.locator("#view-inspect .error").waitFor({ state: "detached" });
      await inspectSample(page, 1);
    });
  },
  async "inspector: the saved trace is what the native program writes"() {
    await visit({ hash: "#inspect" }, async (page) => {
      await inspectSample(page);
      const [download] = await Promise.all([
        page.waitForEvent("download"), page.getByRole("button", { name: "Save trace" }).click(),
      ]);
      const [saved] = await read(await download.path());
      assert.deepEqual(saved.trace, nativeImage.trace);
      assert.deepEqual(saved.embedding.map(Math.fround), nativeImage.embedding.map(Math.fround));
      assert.deepEqual(saved.provenance, nativeImage.provenance);
      assert.deepEqual(Object.keys(nativeImage).filter((key) => !(key in saved)), []);
      await page.getByRole("button", { name: "Copy trace" }).click();
      await page.getByRole("button", { name: "Copied" }).waitFor();
      assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), [saved]);
    });
  },
  async "compare: this page and the native program are equal to the last bit"() {
    await visit({ hash: "#inspect" }, async (page) => {
      await inspectSample(page);
      await page.getByRole("button", { name: "Compare it" }).click();
      await page.locator("[data-side=b]").getByRole("button", { name: "native, of a sample" }).click();
      assert.match(await verdict(page), /Equal to the last bit in all \d+ stages/);
      assert.match(await page.locator("#comparison .metrics").innerText(), /Values that differ\s+0/);
    });
  },
  async "compare: one weight moved by one ulp is found in its block"() {
    await visit({ hash: "#compare" }, async (page) => {
      await page.locator("[data-side=a]").getByRole("button", { name: "native, of a sample" }).click();
      await hand(page, "drop", "[data-side=b]", Buffer.from(movedText), "moved.json", "application/json");
      const words = await verdict(page);
      assert.match(words, /part at “block\.2”/);
      assert.match(words, /The weights differ/);
      assert.equal(await page.locator("#comparison tr.first th").innerText(), "block.2");
      const states = await page.locator("#comparison .stages tbody .state").allInnerTexts();
      const at = nativeImage.trace.findIndex((stage) => stage.name === "block.2");
      assert.deepEqual(states.slice(0, at + 1), [...Array(at).fill("same"), "first to differ"]);
    });
  },
  async "compare: a JPEG decoded by the browser parts at its decoding"() {
    await visit({ hash: "#inspect" }, async (page) => {
      await page.locator("[name=decoder][value=browser]").check();
      await page.locator("#inspect-file").setInputFiles(OTHER_DECODER);
      await page.locator("#inspection .journey").waitFor();
      await idle(page);
      assert.match(await page.locator("#inspection .note").innerText(), /browser decoded this picture/);
      await page.getByRole("button", { name: "Compare it" }).click();
      await go(page, "inspect");
      await page.locator("[name=decoder][value=own]").check();
      await page.locator("#inspection .note").waitFor({ state: "detached" });
      await idle(page);
      await go(page, "compare");
      await page.locator("[data-side=b]").getByRole("button", { name: "from the inspector" }).click();
      const words = await verdict(page);
      assert.match(words, /part at “decoded”/);
      assert.match(words, /the browser decoded the file/);
    });
  },
  async "compare: what is no trace is an error, and markup in it is text"() {
    await visit({ hash: "#compare" }, async (page) => {
      const area = page.locator("[data-side=a] textarea");
      await area.fill("{ no json");
      assert.match(await page.locator("[data-side=a] .error").innerText(), /not JSON.*scraper embed/);
      await area.fill(JSON.stringify([{ ...nativeImage, input: '<img src=x onerror="window.hacked=1">' }, nativeText]));
      await page.locator("[data-side=a] select").waitFor();
      assert.equal(await page.locator("[data-side=a] img").count(), 0);
      await page.locator("[data-side=b] textarea").fill(JSON.stringify(native));
      assert.match(await verdict(page), /Equal/);
      await page.locator("[data-side=a] select").selectOption({ index: 1 });
      await page.locator("#comparison .incomparable").waitFor();
      assert.equal(await page.evaluate(() => window.hacked), undefined);
    });
  },
  async "matrix: cosines of pictures and texts, in a table with header cells"() {
    await visit({ hash: "#matrix" }, async (page) => {
      await page.locator("#matrix-example").click();
      await page.waitForFunction(() => document.querySelectorAll("#matrix tbody tr").length === 8);
      const rows = await page.locator("#matrix tbody tr").evaluateAll((all) =>
        all.map((row) => [...row.querySelectorAll("td")].map((td) => Number.parseFloat(td.textContent))));
      for (let i = 0; i < 8; i += 1) {
        assert.equal(rows[i][i], 1);
        for (let j = 0; j < 8; j += 1) {
          assert.equal(rows[i][j], rows[j][i]);
          assert.ok(Math.abs(rows[i][j]) <= 1);
        }
      }
      assert.equal(await page.locator("#matrix th[scope=col]").count(), 8);
      assert.equal(await page.locator("#matrix th[scope=row]").count(), 8);
      await page.locator("#matrix-text").fill(`${site.check.text}\n\n`);
      await page.getByRole("button", { name: "Add texts" }).click();
      await page.waitForFunction(() => document.querySelectorAll("#matrix tbody tr").length === 9);
      // The first sample is the picture of the self-check.
      const cosine = nativeImage.embedding.reduce((sum, x, i) => sum + x * nativeText.embedding[i], 0);
      assert.equal((await page.locator("#matrix tbody tr").nth(8).locator("td").first().innerText()).slice(0, 6).trim(), cosine.toFixed(3));
      await page.locator("#matrix .remove").first().click();
      assert.equal(await page.locator("#matrix tbody tr").count(), 8);
      await page.locator("#matrix-file").setInputFiles({ name: "bad.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no") });
      await page.locator("#view-matrix .error").waitFor();
      assert.match(await page.locator("#view-matrix .error").innerText(), /bad\.jpg/i);
    });
  },
  async "report: the browser gives the native program's bits, and all can be copied"() {
    await visit({ hash: "#report" }, async (page) => {
      await page.locator("#report-run").click();
      await page.locator("#report .verdict.equal").waitFor();
      const stages = nativeImage.trace.length + nativeText.trace.length;
      assert.match(await page.locator("#report .verdict").innerText(), new RegExp(`all ${stages} stages`));
      await page.locator("#report-copy").click();
      await page.getByRole("button", { name: "Copied" }).waitFor();
      const markdown = await page.evaluate(() => navigator.clipboard.readText());
      for (const part of ["| Self-check | Equal", `| Digest of the weights | ${nativeImage.provenance.weights} |`, "| Kernel path | wasm-",
        "| Cross-origin isolated | no |", "| Relaxed SIMD |", "| Private file system (OPFS) | yes |", "Chrome/", "numerics 1"]) {
        assert.ok(markdown.includes(part), part);
      }
    });
  },
  async "a download can be cancelled, and tried again"() {
    await visit({ hash: "#inspect", expectErrors: true }, async (page) => {
      let held = true;
      await page.context().route("**/model/*.safetensors", (route) => (held ? undefined : route.continue()));
      await page.locator("#inspect-samples button").first().click();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.locator("#view-inspect .error").waitFor();
      held = false;
      await page.context().unrouteAll({ behavior: "ignoreErrors" });
      await inspectSample(page);
      assert.deepEqual(await shownStages(page), stagesOf(nativeImage));
    });
  },
  async "axe finds nothing, with and without results, light and dark"() {
    for (const colorScheme of ["light", "dark"]) {
      await visit({ colorScheme }, async (page) => {
        for (const used of [false, true]) {
          if (used) await useAll(page);
          for (const name of ["search", "inspect", "compare", "matrix", "classify", "rankings", "report"]) {
            await go(page, name);
            assert.deepEqual(await violations(page), [], `${colorScheme}, ${name}, ${used ? "with results" : "empty"}`);
          }
        }
      });
    }
  },
  async "a phone: nothing is wider than the screen, targets are large enough, axe finds nothing"() {
    await visit({ viewport: { width: 360, height: 760 }, hasTouch: true, isMobile: true }, async (page) => {
      await useAll(page);
      for (const name of ["search", "inspect", "compare", "matrix", "classify", "rankings", "report"]) {
        await go(page, name);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360, `${name} is too wide`);
        assert.deepEqual(await violations(page), [], name);
        const small = await page.locator("main button:visible").evaluateAll((all) =>
          all.filter((b) => b.getBoundingClientRect().height < 24 || b.getBoundingClientRect().width < 24).map((b) => b.textContent));
        assert.deepEqual(small, [], `${name}: small buttons`);
      }
    });
  },
  async "the keyboard alone is enough"() {
    await visit({}, async (page) => {
      const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim());
      const tab = async (until, most = 40) => {
        for (let i = 0; i < most; i += 1) {
          await page.keyboard.press("Tab");
          if (await page.evaluate(until)) return;
        }
        assert.fail(`Tab does not reach ${until}`);
      };
      await page.keyboard.press("Tab");
      assert.equal(await focused(), "Skip to the tool");
      await page.keyboard.press("Enter");
      assert.equal(await focused(), "main");
      await page.locator("body").press("Shift+Tab");
      await page.evaluate(() => document.querySelector(".logo").focus());
      await tab(() => document.activeElement.hash === "#inspect");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.activeElement.id === "title-inspect");
      await tab(() => document.activeElement.id === "inspect-file");
      await tab(() => document.activeElement.closest("#inspect-samples"));
      await page.keyboard.press("Enter");
      await page.locator("#inspection .journey").waitFor();
      await tab(() => document.activeElement.textContent === "Compare it");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.activeElement.id === "title-compare");
      await tab(() => document.activeElement.textContent === "native, of a sample");
      await page.keyboard.press("Enter");
      assert.match(await verdict(page), /Equal/);
      // What has the focus is seen to have it.
      await tab(() => document.activeElement.tagName === "BUTTON" || document.activeElement.tagName === "A");
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    });
  },
  async "all files are asked for below the site's own folder"() {
    assert.ok(server.paths.length > 50);
    assert.deepEqual(server.paths.filter((at) => !at.startsWith("/clip-everywhere/")), []);
  },
};

/** A progressive file that was cut: Chromium's decoder smooths the coarse blocks in another way. */
const OTHER_DECODER = path.resolve(import.meta.dirname, "../../tests/corpus/jpeg/progressive-1-scans.jpg");

await report(tests, only, close);
