// node gpu.mjs FOLDER [NAME …]
//
// Images on WebGPU, in Chromium on SwiftShader: a device in software that does not fuse. FOLDER as for cross.mjs.

import assert from "node:assert/strict";
import path from "node:path";

import { SWIFTSHADER, launchChromium } from "./browsers.mjs";
import { root, web } from "./compare.mjs";
import { report, within } from "./report.mjs";
import { serve } from "./server.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const server = await serve({
  "/dist/": path.join(web, "dist"), "/test/": import.meta.dirname,
  "/models/": path.join(folder, "packed"), "/corpus/": path.join(root, "tests/corpus"),
});
const browser = await launchChromium(SWIFTSHADER);
const without = await launchChromium(["--disable-gpu", "--disable-features=WebGPU"]);

/** The vector of a picture, and what was told; `use` are options of `Clip.load`. */
async function embed(browser, model, use) {
  const page = await browser.newPage();
  try {
    await page.goto(`${server.origin}/test/page.html`);
    await page.waitForFunction(() => document.title === "ready");
    const work = page.evaluate(async ({ model, use }) => {
      const warnings = [];
      const onWarning = ({ kind, message }) => warnings.push(`${kind}: ${message}`);
      const clip = await Clip.load({ model: `/models/${model}/`, towers: "vision", cache: false, onWarning, ...use });
      const { normalized, exact, provenance } = await clip.embedImage("/corpus/jpeg/photo-420-q75.jpg");
      const { gpu } = clip.info;
      clip.dispose();
      return { normalized: [...normalized], exact, device: provenance.device, gpu, warnings, violations: window.violations };
    }, { model, use });
    return await within(300, "the page", work);
  } finally {
    await page.close();
  }
}

const distance = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

const tests = {};
// Patches of 32 and `quick_gelu`, patches of 16 and `gelu`.
for (const model of ["tiny", "second_shape"]) {
  tests[`${model}: a device that does not fuse says exact: false and is within 1e-5`] = async () => {
    const exact = await embed(browser, model, {});
    assert.deepEqual([exact.gpu, exact.exact, exact.device], [null, true, "exact"], "off by default");
    const close = await embed(browser, model, { gpu: "auto", precision: "auto" });
    assert.deepEqual(close.violations, [], "violations of the CSP");
    assert.deepEqual(close.warnings, []);
    assert.ok(close.gpu, "the GPU computed");
    const off = distance(close.normalized, exact.normalized);
    console.log(`${model} on ${close.gpu}: ${off.toExponential(1)} from wasm`);
    assert.ok(off <= 1e-5, `${off}`);
    // A device that fuses would have the bits.
    assert.deepEqual([close.exact, close.device], [false, "unfused"]);
    assert.ok(off > 0, "other bits");
  };
}
tests["precision: exact refuses such a device, says why, and keeps the bits"] = async () => {
  const exact = await embed(browser, "tiny", {});
  const refused = await embed(browser, "tiny", { gpu: "auto" });
  assert.deepEqual([refused.gpu, refused.exact, refused.device], [null, true, "exact"]);
  assert.deepEqual(refused.normalized, exact.normalized);
  assert.match(refused.warnings.join(), /^engine: images are computed without the GPU: .* rounds a fused multiply-add twice/);
};
tests["a browser without WebGPU computes in wasm"] = async () => {
  const got = await embed(without, "tiny", { gpu: "auto", precision: "auto" });
  assert.deepEqual([got.gpu, got.exact], [null, true]);
  assert.match(got.warnings.join(), /the browser offers no GPU/);
};

await report(tests, only, async () => {
  await Promise.all([browser.close(), without.close()]);
  server.close();
});
