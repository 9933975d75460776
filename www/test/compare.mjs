// node compare.mjs
//
// The comparison of two traces, without a page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { report } from "../../web/test/report.mjs";

const dist = path.resolve(import.meta.dirname, "../../web/dist");
const { TraceError, compare, parseTraces, traceJson, ulps } = await import(pathToFileURL(path.join(dist, "inspect-compare.js")));
const [site, work] = process.argv.slice(2).map((folder) => path.resolve(folder));

const sha = (digit) => String(digit).repeat(64).slice(0, 64);
const STAGES = ["decoded", "resized", "cropped", "pixel_values", "embeddings", "block.0", "block.1", "embedding", "normalized"];

/** A run whose stage `from` and all after it are others. */
function run({ from = "none", values = [0.6, 0.8], kind = "image", stages = STAGES, ...more } = {}) {
  const start = stages.indexOf(from);
  return {
    input: "a.jpg", kind, dim: values.length, normalized: true, embedding: Float32Array.from(values),
    provenance: { model: "m", revision: null, weights: sha("a"), preprocessing: "hf-endpoint", numerics: 1, device: "exact" },
    trace: stages.map((name, i) => ({ name, shape: [2], sha256: sha(start >= 0 && i >= start ? 1 : 0) })),
    ...more,
  };
}
const origin = (change) => ({ provenance: { ...run().provenance, ...change } });

const tests = {
  "equal results are equal"() {
    const found = compare(run(), run());
    assert.equal(found.verdict, "equal");
    assert.equal(found.first, undefined);
    assert.match(found.sentence, /all 9 stages.*all 2 values/);
    assert.deepEqual([found.distance.differing, found.distance.maxUlps, found.distance.cosine], [0, 0, 1]);
  },
  "the first stage that differs is named, whichever it is"() {
    for (const from of STAGES) {
      for (const [a, b] of [[run(), run({ from })], [run({ from }), run()]]) {
        const found = compare(a, b);
        assert.equal(found.verdict, "differ");
        assert.equal(found.first, from);
        assert.ok(found.sentence.includes(`“${from}”`), found.sentence);
        assert.ok(found.cause.length > 20, from);
        assert.equal(found.rows.filter((row) => row.state === "same").length, STAGES.indexOf(from));
      }
    }
  },
  "causes follow what both sides say about themselves"() {
    const cause = (from, change = {}) => compare(run(), run({ from, ...change })).cause;
    assert.match(cause("decoded"), /Another decoder/);
    assert.match(cause("decoded", { environment: { decoder: "browser" } }), /the browser decoded the file/);
    assert.match(cause("resized"), /Another resize/);
    assert.match(cause("resized", origin({ preprocessing: "transformers4" })), /“hf-endpoint”.*“transformers4”/);
    assert.match(cause("block.1", origin({ weights: sha("b") })), /weights differ.*aaaaaaaa.*bbbbbbbb/);
    assert.match(cause("block.1", origin({ numerics: 2 })), /numeric contract differ \(1 and 2\)/);
    assert.match(cause("block.1", origin({ device: "cuda" })), /cuda/);
    assert.match(cause("block.1"), /same weights.*kernel/);
    // Weights have no part in what comes before the model.
    assert.doesNotMatch(cause("cropped", origin({ weights: sha("b") })), /weights/);
  },
  "a picture on its side is told from one of another size"() {
    const sized = (shape) => {
      const one = run({ from: "decoded" });
      one.trace[0].shape = shape;
      return one;
    };
    assert.match(compare(sized([600, 800, 3]), sized([800, 600, 3])).cause, /EXIF orientation/);
    assert.match(compare(sized([600, 800, 3]), sized([300, 400, 3])).cause, /thumbnail/);
  },
  "stages that one side lacks are not differences"() {
    const short = run({ stages: STAGES.slice(4) });
    const found = compare(run(), short);
    assert.equal(found.verdict, "equal");
    assert.deepEqual(found.rows.map((row) => row.stage), STAGES);
    assert.equal(found.rows[0].state, "only-a");
    assert.equal(compare(short, run()).rows[0].state, "only-b");
    const middle = run({ stages: STAGES.filter((name) => name !== "cropped") });
    const extra = run({ stages: ["cropped", "extra"] });
    assert.deepEqual(compare(middle, extra).rows.map((row) => row.stage).slice(0, 2), ["cropped", "extra"]);
  },
  "goldens with short digests compare with whole ones"() {
    const short = run();
    short.trace = short.trace.map((stage) => ({ ...stage, sha256: stage.sha256.slice(0, 16) }));
    assert.equal(compare(run(), short).verdict, "equal");
    assert.equal(compare(run({ from: "block.0" }), short).first, "block.0");
  },
  "distances are counted in units in the last place"() {
    const next = (x, n) => {
      const view = new DataView(new ArrayBuffer(4));
      view.setFloat32(0, x);
      view.setInt32(0, view.getInt32(0) + n);
      return view.getFloat32(0);
    };
    assert.equal(ulps(1, next(1, 5)), 5);
    assert.equal(ulps(-1, next(-1, 3)), 3);
    assert.equal(ulps(0, -0), 0);
    assert.equal(ulps(next(0, 1), -next(0, 1)), 2);
    const { distance } = compare(run(), run({ from: "embedding", values: [next(Math.fround(0.6), 7), 0.8] }));
    assert.deepEqual([distance.differing, distance.dim, distance.maxUlps, distance.at], [1, 2, 7, 0]);
    assert.ok(distance.maxDelta > 3e-7 && distance.maxDelta < 6e-7);
    assert.ok(distance.cosine > 0.999999 && distance.cosine <= 1);
  },
  "vectors without traces still compare"() {
    const bare = (values) => ({ ...run({ values }), trace: undefined });
    assert.equal(compare(bare([1, 0]), bare([1, 0])).verdict, "equal");
    const found = compare(bare([1, 0]), bare([0, 1]));
    assert.equal(found.verdict, "differ");
    assert.equal(found.first, undefined);
    assert.equal(found.distance.cosine, 0);
    assert.match(found.cause, /--trace/);
  },
  "a raw vector has the direction of its unit one"() {
    const raw = run({ values: [3, 4], normalized: false });
    const found = compare(raw, run({ values: [0.6, 0.8] }));
    assert.equal(found.verdict, "equal");
    assert.equal(found.distance.cosine, 1);
  },
  "values that were written with too few digits are told from other results"() {
    const found = compare(run(), run({ values: [0.600001, 0.8] }));
    assert.equal(found.verdict, "differ");
    assert.equal(found.first, undefined);
    assert.match(found.cause, /rounded when they were written/);
  },
  "a picture and a text, or two models, cannot be compared"() {
    assert.equal(compare(run(), run({ kind: "text", stages: ["tokens"] })).verdict, "incomparable");
    const found = compare(run(), run({ values: [1, 0, 0] }));
    assert.equal(found.verdict, "incomparable");
    assert.match(found.sentence, /2 values, the other 3/);
  },
  "what is not the same about the origins is listed"() {
    const { origins } = compare(run(), run({ input: "b.jpg", ...origin({ weights: sha("c"), revision: "r1" }) }));
    assert.deepEqual(origins.map(({ what }) => what), ["input", "revision", "digest of the weights"]);
    assert.deepEqual(origins[1], { what: "revision", a: "not known", b: "r1" });
  },
  "arrays, objects and lines are read; failures become notes"() {
    const one = JSON.parse(traceJson([run()]))[0];
    const failed = { input: "b.jpg", error: { kind: "image.empty", message: "it is empty" } };
    for (const text of [JSON.stringify([one, failed]), `${JSON.stringify(one)}\n${JSON.stringify(failed)}\n`]) {
      const { runs, notes } = parseTraces(text);
      assert.equal(runs.length, 1);
      assert.match(notes[0], /b\.jpg failed there: it is empty/);
    }
    assert.equal(parseTraces(JSON.stringify(one)).runs.length, 1);
    assert.throws(() => parseTraces(JSON.stringify([failed])), /it is empty/);
  },
  "what is no trace is refused with a reason"() {
    const one = JSON.parse(traceJson([run()]))[0];
    const cases = [
      ["", /empty/], ["{\"input\":", /not JSON/], ["[]", /no result/], ["7", /no object/], ["[null]", /no object/],
      ["{}", /no `embedding`/], [JSON.stringify({ ...one, embedding: [1, "x"] }), /something else than numbers/],
      [JSON.stringify({ ...one, trace: [{ name: "decoded" }] }), /damaged/],
      [JSON.stringify({ ...one, trace: "x" }), /damaged/],
    ];
    for (const [text, message] of cases) {
      assert.throws(() => parseTraces(text), (error) => error instanceof TraceError && message.test(error.message) && /scraper embed/.test(error.message), text);
    }
    // Unknown provenance is left out, markup is only text.
    const odd = parseTraces(JSON.stringify({ ...one, input: "<b>", provenance: 3, environment: { a: {}, b: 1 } })).runs[0];
    assert.deepEqual([odd.input, odd.provenance, odd.environment], ["<b>", undefined, { b: 1 }]);
  },
  "what is written is read again to the same bits"() {
    const values = [1e-45, 1.1754944e-38, 0.1, 1 / 3, -0.099999994, 16777217, 3.4028235e38, 0, -0, -7.5e-7];
    const before = run({ values });
    const [after] = parseTraces(traceJson([before])).runs;
    assert.deepEqual([...after.embedding], [...before.embedding]);
    assert.deepEqual(after, before);
    assert.ok(traceJson([before]).includes("0.33333334"), "more digits than needed");
  },
};

if (site) {
  Object.assign(tests, {
    async "the native program's own JSON is read, and one ulp in a weight is found in its block"() {
      const [native, moved] = await Promise.all([path.join(site, "native.json"), path.join(work, "moved.json")]
        .map(async (file) => parseTraces(await readFile(file, "utf8")).runs));
      assert.deepEqual(native.map(({ kind }) => kind), ["image", "text"]);
      assert.equal(compare(native[0], native[0]).verdict, "equal");
      const found = compare(native[0], moved[0]);
      assert.equal(found.first, "block.2");
      assert.match(found.cause, /weights differ/);
      assert.ok(found.distance.differing > 0 && found.distance.cosine > 0.9999);
      // That weight is of the other tower.
      assert.equal(compare(native[1], moved[1]).verdict, "equal");
      // Written again: the same text, but for the spelling of small numbers.
      const again = parseTraces(traceJson(native)).runs;
      assert.deepEqual(again, native);
    },
  });
}

await report(tests);
