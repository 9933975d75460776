/** Anything that can go wrong; `kind` is short and stable, `message` says what to do. */
export class ClipError extends Error {
  override readonly name = "ClipError";

  constructor(
    /**
     * - `abort`: the signal was aborted
     * - `disposed`: the model was given back
     * - `input`, `profile`: an argument that cannot be used
     * - `image.*`: the picture cannot be read
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

export function failure(error: unknown): Failure {
  if (error instanceof ClipError) return { kind: error.kind, message: error.message };
  if (isAbort(error)) return { kind: "abort", message: "the call was aborted" };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: "internal", message };
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** The text of any error. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
