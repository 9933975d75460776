/** Anything that can go wrong; `kind` is short and stable, `message` says what to do. */
export class ClipError extends Error {
  override readonly name = "ClipError";

  constructor(
    /**
     * - `abort`: the signal was aborted
     * - `disposed`: the model was given back
     * - `input`, `profile`: an argument that cannot be used
     * - `image.*`: the image cannot be read
     * - `manifest`, `model.not_found`, `model.corrupt`, `weights.*`: the packed model
     * - `network`: the host does not answer
     * - `storage`: the weights could not be kept (only ever a warning)
     * - `memory`: not enough of it
     * - `engine`: the wasm modules could not be started, or have crashed
     */
    readonly kind: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** How an error travels between threads. */
export interface Failure {
  kind: string;
  message: string;
}

/** What is told of any error: of a `ClipError`, of the wasm modules (their errors have a kind, too), or another. */
export function failure(error: unknown): Failure {
  const kind = kindOf(error);
  const message = reason(error);
  if (kind === "abort" && !(error instanceof ClipError)) return { kind, message: "the call was aborted" };
  if (kind !== undefined) return { kind, message };
  if (error instanceof WebAssembly.RuntimeError) {
    const advice = "Load it again; if it happens again, it is a defect of this library: please report the input";
    return { kind: "engine", message: `the computation crashed (${message}). ${advice}` };
  }
  return { kind: "internal", message: error instanceof Error ? `${error.name}: ${message}` : message };
}

/** The kind of an error; undefined for one that is not ours. */
export function kindOf(error: unknown): string | undefined {
  if (isAbort(error)) return "abort";
  const { kind } = error as { kind?: unknown };
  return error instanceof Error && typeof kind === "string" ? kind : undefined;
}

/** Whether a signal was aborted. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** The text of any error. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
