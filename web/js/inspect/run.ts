// Results with their stages, as `scraper embed --trace --format json` writes them: read and written.

import type { Provenance, Stage } from "../clip/protocol.js";

/** One object of `scraper embed --format json`. */
export interface Run {
  input: string;
  kind: "image" | "text";
  dim: number;
  normalized: boolean;
  embedding: Float32Array;
  provenance?: Provenance;
  trace?: Stage[];
  /** What a browser adds: user agent, kernel path, threads, whose decoder, GPU. */
  environment?: Record<string, string | number>;
}

/** Something that is no trace; the message is for people. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What to do about something that is no trace. */
export const HOW = "make it with `scraper embed FILE --trace --format json`, or save it in the inspector";

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
