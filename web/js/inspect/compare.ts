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

export type { Provenance, Stage };

/** One object of `scraper embed --format json`. */
export interface Run {
  input: string;
  kind: "image" | "text";
  dim: number;
  normalized: boolean;
  embedding: Float32Array;
  provenance?: Provenance;
  trace?: Stage[];
  /** What a browser adds: user agent, kernel path, threads, whose decoder. */
  environment?: Record<string, string | number>;
}

/** Something that is no trace; the message is for people. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

export type State = "same" | "differs" | "only-a" | "only-b";

export interface Row {
  stage: string;
  a: Stage | undefined;
  b: Stage | undefined;
  state: State;
}

/** How far apart two vectors are. */
export interface Distance {
  /** Values that are not the same bits, of how many. */
  differing: number;
  dim: number;
  /** Largest difference, and where. */
  maxDelta: number;
  at: number;
  /** Representable f32 between the two values furthest apart in that sense. */
  maxUlps: number;
  cosine: number;
}

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

// ---------------------------------------------------------------------------------------------
// Reading and writing

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const HOW = "make it with `scraper embed FILE --trace --format json`, or save it in the inspector";

/**
 * Reads an array, one object, or one object per line. Entries that are failures become notes.
 *
 * @throws TraceError
 */
export function parseTraces(text: string): { runs: Run[]; notes: string[] } {
  const runs: Run[] = [];
  const notes: string[] = [];
  const entries = parseJson(text);
  entries.forEach((entry, index) => {
    const where = entries.length === 1 ? "the trace" : `entry ${index + 1}`;
    if (isObject(entry) && isObject(entry.error)) {
      notes.push(`${String(entry.input)} failed there: ${String(entry.error.message)}`);
    } else runs.push(parseRun(entry, where));
  });
  if (runs.length > 0) return { runs, notes };
  throw new TraceError(notes.length > 0 ? notes.join("; ") : `there is no result in it: ${HOW}`);
}

function parseJson(text: string): unknown[] {
  if (text.trim() === "") throw new TraceError(`it is empty: ${HOW}`);
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    try {
      return text.split("\n").filter((line) => line.trim() !== "").map((line) => JSON.parse(line) as unknown);
    } catch {
      throw new TraceError(`it is not JSON, or was cut: ${HOW}`);
    }
  }
  return Array.isArray(whole) ? whole : [whole];
}

function parseRun(entry: unknown, where: string): Run {
  const bad = (what: string) => new TraceError(`${where} ${what}: ${HOW}`);
  if (!isObject(entry)) throw bad("is no object");
  const { input, kind, normalized, embedding, provenance, trace, environment } = entry;
  if (!Array.isArray(embedding) || embedding.length === 0) throw bad("has no `embedding`");
  if (!embedding.every((x) => typeof x === "number" && Number.isFinite(x))) {
    throw bad("has an `embedding` that holds something else than numbers");
  }
  if (trace !== undefined && !(Array.isArray(trace) && trace.every(isStage))) {
    throw bad("has a `trace` that is damaged");
  }
  const stages = trace as Stage[] | undefined;
  const told = kind === "image" || kind === "text" ? kind : undefined;
  const run: Run = {
    input: typeof input === "string" ? input : "",
    kind: told ?? (stages?.some((stage) => stage.name === "tokens") ? "text" : "image"),
    dim: embedding.length,
    normalized: normalized !== false,
    embedding: Float32Array.from(embedding as number[]),
  };
  if (stages) run.trace = stages.map(({ name, shape, sha256 }) => ({ name, shape, sha256: sha256.toLowerCase() }));
  if (isProvenance(provenance)) run.provenance = provenance;
  if (isObject(environment)) {
    const plain = Object.entries(environment).filter(([, value]) => typeof value === "string" || typeof value === "number");
    run.environment = Object.fromEntries(plain) as Record<string, string | number>;
  }
  return run;
}

function isStage(value: unknown): value is Stage {
  if (!isObject(value)) return false;
  const { name, shape, sha256 } = value;
  return (
    typeof name === "string" && typeof sha256 === "string" && /^[0-9a-f]{16,64}$/i.test(sha256) &&
    Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0)
  );
}

function isProvenance(value: unknown): value is Provenance {
  if (!isObject(value)) return false;
  const { model, revision, weights, tokenizer, preprocessing, numerics, device } = value;
  return (
    (tokenizer === undefined || typeof tokenizer === "string") &&
    typeof model === "string" && (revision === null || revision === undefined || typeof revision === "string") &&
    typeof weights === "string" && typeof preprocessing === "string" && typeof numerics === "number" &&
    typeof device === "string"
  );
}

/** The same shape as `scraper embed --trace --format json`, to the same f32 values. */
export function traceJson(runs: Run[]): string {
  const objects = runs.map(({ input, kind, dim, normalized, embedding, provenance, trace, environment }) => {
    const numbers = Array.from(embedding, shortest).join(",");
    const start = JSON.stringify({ input, kind, dim, normalized }).slice(0, -1);
    const rest = JSON.stringify({ provenance, trace, environment }).slice(1);
    return `${start},"embedding":[${numbers}]${rest === "}" ? rest : `,${rest}`}`;
  });
  return objects.length === 0 ? "[]\n" : `[\n${objects.join(",\n")}\n]\n`;
}

/** The shortest decimal that is this f32 when it is read again. */
function shortest(value: number): string {
  if (Object.is(value, -0)) return "-0";
  for (let digits = 1; digits < 9; digits += 1) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(9)));
}

// ---------------------------------------------------------------------------------------------
// Comparing

/** Compares two runs of what should be the same input. */
export function compare(a: Run, b: Run): Comparison {
  const origins = differentOrigins(a, b);
  const rows = align(a.trace ?? [], b.trace ?? []);
  const base = { rows, origins };
  if (a.kind !== b.kind) {
    return {
      ...base, verdict: "incomparable",
      sentence: "One is of a picture, the other of a text: their stages are not the same ones.",
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

/** Stages of both by name, in the order of the longer trace. */
function align(a: Stage[], b: Stage[]): Row[] {
  const [long, short] = a.length >= b.length ? [a, b] : [b, a];
  const names = long.map((stage) => stage.name);
  for (const [index, { name }] of short.entries()) {
    if (names.includes(name)) continue;
    // After the stage that comes before it on its own side.
    const before = short[index - 1]?.name;
    names.splice(before === undefined ? 0 : names.indexOf(before) + 1, 0, name);
  }
  return names.map((stage) => {
    const [left, right] = [a, b].map((side) => side.find(({ name }) => name === stage));
    const state: State = !left ? "only-b" : !right ? "only-a" : equal(left, right) ? "same" : "differs";
    return { stage, a: left, b: right, state };
  });
}

/** Goldens and short forms cut digests: what both have must agree. */
function equal(a: Stage, b: Stage): boolean {
  const digits = Math.min(a.sha256.length, b.sha256.length);
  return a.sha256.slice(0, digits) === b.sha256.slice(0, digits) && a.shape.join() === b.shape.join();
}

const words = new DataView(new ArrayBuffer(4));

/** Position of an f32 among all of them, so that neighbours are one apart; -0 and 0 are the same. */
function ordinal(value: number): number {
  words.setFloat32(0, value);
  const bits = words.getInt32(0);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}

/** Units in the last place between two f32. */
export function ulps(a: number, b: number): number {
  return Math.abs(ordinal(a) - ordinal(b));
}

function distanceOf(a: Run, b: Run): Distance {
  // A raw vector beside one of unit length: compare directions.
  const [x, y] = a.normalized === b.normalized ? [a.embedding, b.embedding] : [unit(a), unit(b)];
  let [differing, maxDelta, at, maxUlps, dot, xx, yy] = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i += 1) {
    const [p, q] = [x[i] ?? 0, y[i] ?? 0];
    dot += p * q;
    xx += p * p;
    yy += q * q;
    if (Object.is(p, q)) continue;
    differing += 1;
    maxUlps = Math.max(maxUlps, ulps(p, q));
    if (Math.abs(p - q) > maxDelta) [maxDelta, at] = [Math.abs(p - q), i];
  }
  // Sums of equal vectors would give 0.9999999999999998 as often as 1.
  const cosine = differing === 0 ? 1 : Math.min(1, dot / Math.sqrt(xx * yy));
  return { differing, dim: x.length, maxDelta, at, maxUlps, cosine };
}

function unit(run: Run): Float32Array {
  if (run.normalized) return run.embedding;
  const norm = Math.hypot(...run.embedding);
  return run.embedding.map((x) => x / norm);
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

const BEFORE_MODEL = ["decoded", "resized", "cropped", "pixel_values"];

/** What to call a stage in a sentence. */
export function describeStage(stage: string, kind: Run["kind"]): string {
  const block = /^block\.(\d+)$/.exec(stage)?.[1];
  if (block !== undefined) return `the output of transformer block ${block}`;
  const names: Record<string, string> = {
    decoded: "the decoded pictures",
    resized: "the resized pictures",
    cropped: "the cropped pictures",
    pixel_values: "the normalised pixel values",
    tokens: "the token ids",
    embeddings: kind === "text" ? "the sums of token and position embeddings" : "the embedded patches",
    embedding: "the projected vectors",
    normalized: "the vectors of unit length",
  };
  return names[stage] ?? `the values of ${stage}`;
}

/** A sentence about the first stage that differs, and its likely cause. */
function explain(row: Row, a: Run, b: Run): [string, string] {
  const { stage } = row;
  const shapes = [row.a?.shape ?? [], row.b?.shape ?? []];
  const sizes = shapes[0]!.join() !== shapes[1]!.join();
  const [left, right] = shapes.map((shape) => shape.join(" x "));
  const shown = sizes ? ` (${left} and ${right})` : "";
  const sentence = `They part at “${stage}”: ${describeStage(stage, a.kind)} are not the same${shown}.`
    .replace(/the output of (.*) are not/, "the output of $1 is not");
  return [sentence, cause(stage, shapes, a, b)];
}

function cause(stage: string, shapes: number[][], a: Run, b: Run): string {
  const [p, q] = [a.provenance, b.provenance];
  const preprocessing = p && q && p.preprocessing !== q.preprocessing
    ? `Preprocessing is “${p.preprocessing}” on one side and “${q.preprocessing}” on the other.` : "";
  const [s, t] = shapes;
  switch (stage) {
    case "decoded": {
      if (s![0] === t![1] && s![1] === t![0] && s![0] !== s![1]) {
        return preprocessing || "Height and width are exchanged: only one side turns the picture upright by its EXIF orientation.";
      }
      if (s!.join() !== t!.join()) return "These are pictures of different sizes: another file, or a thumbnail of it.";
      const browser = [a, b].filter((run) => run.environment?.decoder === "browser").length;
      if (browser === 1) return "Another decoder: on one side the browser decoded the file, on the other this project did.";
      return preprocessing || "Another decoder (or another version of it), another file, or another way with transparency or CMYK.";
    }
    case "resized":
      return preprocessing || "Another resize: its filter, antialiasing or rounding. Pillow's and torchvision's bicubic differ.";
    case "cropped":
      return preprocessing || "The centre was cut out elsewhere: half pixels are rounded in different directions.";
    case "pixel_values":
      return preprocessing || "Another mean or deviation, or another order of operations when colours become floats.";
    case "tokens":
      return a.input !== b.input
        ? "The texts are not the same."
        : "Another tokenizer, or the text was cleaned in another way (case, white space, Unicode form).";
    default:
  }
  if (p && q && p.weights !== q.weights) {
    return `The weights differ (digests ${p.weights.slice(0, 8)}… and ${q.weights.slice(0, 8)}…), and this is the first stage that ${
      stage === "normalized" ? "shows it" : "a changed tensor takes part in"}.`;
  }
  if (p && q && p.numerics !== q.numerics) {
    return `The versions of the numeric contract differ (${p.numerics} and ${q.numerics}): update the older side.`;
  }
  const device = [p, q].find((side) => side && side.device !== "exact")?.device;
  if (device !== undefined) return `One side ran on ${device}, which does not promise the same bits.`;
  if (stage === "normalized") return "The vectors are brought to unit length in another way.";
  const inputs = BEFORE_MODEL.some((name) => [a, b].every((run) => run.trace?.some((at) => at.name === name))) || a.kind === "text";
  const same = p && q ? "Both name the same weights, so" : "If the weights are the same,";
  return `${same} one side computed this stage differently: its kernel adds in another order or rounds elsewhere.${
    inputs ? "" : " (The stages before it are not in both traces, so the input may differ as well.)"}`;
}
