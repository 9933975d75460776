/**
 * Two traces side by side: the first stage at which they part, and how far apart they end. Pure
 * computation, for pages and for Node.
 *
 * ```js
 * const [a] = parseTraces(await file.text()).runs; // of `scraper embed --trace --format json`
 * console.log(compare(a, b).sentence);
 * ```
 */

import type { Provenance, Stage } from "../clip/protocol.js";
import { type Distance, distanceOf } from "./distance.js";
import { explain } from "./explain.js";
import { HOW, type Run } from "./run.js";
import { type Row, align } from "./stages.js";

export type { Distance, Provenance, Row, Run, Stage };
export { ulps } from "./distance.js";
export { TraceError, parseTraces, traceJson } from "./run.js";
export { type State, describeStage } from "./stages.js";

/** Two runs beside each other. */
export interface Comparison {
  verdict: "equal" | "differ" | "incomparable";
  /** The whole result in a sentence. */
  sentence: string;
  /** What it is likely due to; empty where all is equal. */
  cause: string;
  /** The first stage that differs. */
  first?: string;
  rows: Row[];
  distance?: Distance;
  /** What is not the same about where the two come from. */
  origins: { what: string; a: string; b: string }[];
}

/** Compares two runs of what should be the same input. */
export function compare(a: Run, b: Run): Comparison {
  const origins = differentOrigins(a, b);
  const rows = align(a.trace ?? [], b.trace ?? []);
  const base = { rows, origins };
  if (a.kind !== b.kind) {
    return {
      ...base, verdict: "incomparable",
      sentence: "One is of an image, the other of a text: their stages are not the same ones.",
      cause: "Choose two results of the same input.",
    };
  }
  if (a.dim !== b.dim) {
    return {
      ...base, verdict: "incomparable",
      sentence: `One vector has ${a.dim} values, the other ${b.dim}: they are of different models.`,
      cause: "Compare results of the same model.",
    };
  }
  const distance = distanceOf(a, b);
  const known = rows.filter((row) => row.state === "same" || row.state === "differs");
  const first = known.find((row) => row.state === "differs");
  if (first) {
    const [what, cause] = explain(first, a, b);
    return { ...base, distance, verdict: "differ", first: first.stage, sentence: what, cause };
  }
  if (distance.differing > 0) {
    // Digests are equal or missing, and yet the vectors differ.
    const normalised = a.normalized !== b.normalized;
    return {
      ...base, distance, verdict: normalised && distance.cosine > 0.999999 ? "equal" : "differ",
      sentence: normalised && known.length > 0
        ? `All ${known.length} stages are equal; one vector is of unit length and the other as projected (--raw).`
        : known.length > 0
          ? `All ${known.length} digests are equal, but the written vectors are not.`
          : "The vectors differ; without a trace on both sides nobody can say at which stage.",
      cause: normalised && known.length > 0
        ? ""
        : known.length > 0
          ? "The values were rounded when they were written, or were changed afterwards."
          : `Add --trace to both: ${HOW}.`,
    };
  }
  return {
    ...base, distance, verdict: "equal", cause: "",
    sentence: known.length > 0
      ? `Equal to the last bit in ${known.length === 1 ? "the one stage" : `all ${known.length} stages`} that both have, and in all ${a.dim} values.`
      : `All ${a.dim} values are equal to the last bit. There is no trace on ${a.trace ? "one side" : "either side"}.`,
  };
}

function differentOrigins(a: Run, b: Run): Comparison["origins"] {
  const found: Comparison["origins"] = [];
  const add = (what: string, left: unknown, right: unknown) => {
    if (left !== right && left !== undefined && right !== undefined) {
      found.push({ what, a: String(left ?? "not known"), b: String(right ?? "not known") });
    }
  };
  add("input", a.input, b.input);
  const names: [keyof Provenance, string][] = [
    ["model", "model"], ["revision", "revision"], ["weights", "digest of the weights"],
    ["preprocessing", "preprocessing"], ["numerics", "numerics"], ["device", "device"],
  ];
  if (a.provenance && b.provenance) {
    for (const [key, what] of names) add(what, a.provenance[key] ?? null, b.provenance[key] ?? null);
    // Not told by older versions.
    add("digest of the tokenizer", a.provenance.tokenizer, b.provenance.tokenizer);
  }
  for (const key of new Set([...Object.keys(a.environment ?? {}), ...Object.keys(b.environment ?? {})])) {
    const [left, right] = [a.environment?.[key] ?? "native program", b.environment?.[key] ?? "native program"];
    // The native program says nothing about these.
    if (a.environment && b.environment) add(key, left, right);
  }
  return found;
}
