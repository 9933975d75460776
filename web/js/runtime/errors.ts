/**
 * What can go wrong, closed: a `switch` over it can be complete.
 *
 * - `disposed`: the model or catalogue was given back
 * - `input`, `profile`: an argument that cannot be used
 * - `tower_not_loaded`: a question to a tower that `towers` left out
 * - `image.*`: the image cannot be read
 * - `manifest`, `model.not_found`, `model.corrupt`, `config.*`, `tokenizer.*`, `weights.*`: the packed model
 * - `index.*`: the exported catalogue
 * - `network`: the host does not answer
 * - `storage`: files could not be kept (only ever a warning)
 * - `memory`: not enough of it
 * - `environment`: here no worker can be started, or the package's own files are not where it looks
 * - `engine`, `kernel`, `threads`: the wasm modules could not be started, or have crashed
 * - `internal`: a defect of this library
 */
export type ClipErrorKind =
  | "disposed" | "input" | "profile" | "tower_not_loaded"
  | "image.empty" | "image.too_large" | "image.truncated" | "image.corrupt" | "image.unsupported" | "image.not_an_image"
  | "manifest" | "model.not_found" | "model.corrupt"
  | "config.json" | "config.architecture" | "config.unsupported"
  | "tokenizer.json" | "tokenizer.unsupported" | "tokenizer.vocabulary"
  | "weights.format" | "weights.mismatch" | "weights.not_finite"
  | "index.not_found" | "index.corrupt" | "index.format" | "index.provenance" | "index.dimension" | "index.not_unit"
  | "network" | "storage" | "memory" | "environment" | "engine" | "kernel" | "threads" | "internal";

/**
 * Anything that can go wrong; `kind` is short and stable, `message` says what to do. A call whose signal
 * was aborted fails with an `AbortError` instead, as those of the platform do.
 */
export class ClipError extends Error {
  override readonly name = "ClipError";
  /** Of a batch: which of its inputs. */
  readonly index?: number;

  constructor(
    readonly kind: ClipErrorKind,
    message: string,
    { index, ...options }: ErrorOptions & { index?: number } = {},
  ) {
    super(message, options);
    if (index !== undefined) this.index = index;
  }
}

/** How an error travels between threads. `abort` is only ever sent. */
export interface Failure {
  kind: ClipErrorKind | "abort";
  message: string;
}

/** What is told of any error: of a `ClipError`, of the wasm modules (their errors have a kind, too), or another. */
export function failure(error: unknown): Failure {
  const message = reason(error);
  if (isAbort(error)) return { kind: "abort", message: "the call was aborted" };
  const kind = kindOf(error);
  if (kind !== undefined) return { kind, message };
  if (error instanceof WebAssembly.RuntimeError) {
    const advice = "Load it again; if it happens again, it is a defect of this library: please report the input";
    return { kind: "engine", message: `the computation crashed (${message}). ${advice}` };
  }
  return { kind: "internal", message: error instanceof Error ? `${error.name}: ${message}` : message };
}

/** The kind of an error; undefined for one that is not ours. */
export function kindOf(error: unknown): ClipErrorKind | undefined {
  const { kind } = error as { kind?: unknown };
  // Those of the wasm modules are among them: a test compares the lists.
  return error instanceof Error && typeof kind === "string" ? (kind as ClipErrorKind) : undefined;
}

/** Whether a signal was aborted. */
export function isAbort(error: unknown): error is Error {
  return (error as Error | undefined)?.name === "AbortError";
}

/**
 * The error of a call whose signal was aborted: `signal.reason` where that is an `AbortError`, else one
 * with that reason as its `cause`.
 */
export function aborted(signal: AbortSignal): Error {
  const { reason } = signal;
  if (isAbort(reason)) return reason;
  const error = new DOMException(`the call was aborted (${describe(reason)})`, "AbortError");
  return Object.defineProperty(error, "cause", { value: reason, configurable: true, writable: true });
}

const describe = (why: unknown) => (why instanceof Error ? `${why.name}: ${why.message}` : String(why));

/** The text of any error. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
