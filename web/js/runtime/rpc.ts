// Questions to a worker and their answers, with progress, warnings and a way to give up.

import { ClipError, type Failure, aborted, failure } from "./errors.js";
import type { Port, WorkerPort } from "./platform.js";

interface Reply {
  id?: number;
  value?: unknown;
  error?: Failure;
  progress?: unknown;
  warning?: Failure;
}

interface Pending {
  resolve(value: any): void;
  reject(error: Error): void;
  onProgress?: ((progress: any) => void) | undefined;
  background: boolean;
}

/** Of one question. */
export interface AskOptions {
  transfer?: Transferable[] | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: any) => void) | undefined;
  /** Whether the program (in Node) may end before the answer. */
  background?: boolean | undefined;
}

/** The page's side. */
export class Remote {
  private readonly pending = new Map<number, Pending>();
  private next = 0;
  private dead: ClipError | undefined;
  /** Resolves when the worker has ended. */
  ended: Promise<void> = Promise.resolve();

  constructor(
    private readonly worker: WorkerPort,
    /** What is lost when the worker ends by itself. */
    what: string,
    private readonly onWarning: (warning: ClipError) => void,
  ) {
    worker.onMessage((reply: Reply) => this.receive(reply));
    worker.onError((error) => this.end(new ClipError(error.kind, `${what}: ${error.message}`, { cause: error })));
  }

  ask<T>(request: object, options: AskOptions = {}): Promise<T> {
    const { transfer = [], signal, onProgress, background = false } = options;
    if (this.dead) return Promise.reject(this.dead);
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const id = this.next++;
    return new Promise<T>((resolve, reject) => {
      const abort = () => {
        // At once for the caller; the worker stops as soon as it can.
        this.worker.post({ op: "abort", id });
        this.settle(id)?.reject(aborted(signal!));
      };
      signal?.addEventListener("abort", abort, { once: true });
      const forget = () => signal?.removeEventListener("abort", abort);
      this.pending.set(id, {
        resolve: (value) => (forget(), resolve(value)),
        reject: (error) => (forget(), reject(error)),
        onProgress,
        background,
      });
      this.stay();
      try {
        this.worker.post({ id, ...request }, transfer);
      } catch (error) {
        this.settle(id)?.reject(
          new ClipError("input", `this cannot be sent to a worker (pixels of another origin without CORS?): ${String(error)}`),
        );
      }
    });
  }

  /** Ends the worker. Calls that are waiting, and all later ones, fail with `why`. */
  end(why: ClipError): void {
    if (this.dead) return;
    this.dead = why;
    this.ended = this.worker.terminate();
    for (const id of [...this.pending.keys()]) this.settle(id)?.reject(why);
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    if (!this.dead) this.stay();
    return pending;
  }

  /** Whether the program waits for this. */
  private stay(): void {
    this.worker.keepAlive([...this.pending.values()].some(({ background }) => !background));
  }

  private receive(reply: Reply): void {
    // What has no id is not for this.
    if (reply.id === undefined) return;
    if (reply.progress) this.pending.get(reply.id)?.onProgress?.(reply.progress);
    else if (reply.warning) this.onWarning(toError(reply.warning));
    else if (reply.error) this.settle(reply.id)?.reject(toError(reply.error));
    else this.settle(reply.id)?.resolve(reply.value);
  }
}

/** A warning or an answer; the page knows of an abort before the worker does. */
const toError = ({ kind, message }: Failure) => new ClipError(kind === "abort" ? "internal" : kind, message);

/** Between two messages of progress: each makes the page work. */
const PROGRESS_MS = 50;

/** What a worker can say before its answer. Of progress the page hears the latest, now and then. */
export type Report = (message: { progress: unknown } | { warning: Failure }) => void;

/** The worker's side: `run` gives the answer to a question and what of it is handed over. */
export function serve<Q extends { op: string; id: number }>(
  port: Port,
  run: (request: Q, signal: AbortSignal, report: Report) => Promise<[unknown, Transferable[]?]>,
): void {
  const running = new Map<number, AbortController>();
  port.onMessage(async (request: Q) => {
    const { id } = request;
    // What has no id is not for this.
    if (id === undefined) return;
    if (request.op === "abort") {
      running.get(id)?.abort();
      return;
    }
    const controller = new AbortController();
    running.set(id, controller);
    let held: { progress: unknown } | undefined;
    let told = -PROGRESS_MS;
    const tell = () => {
      if (held) port.post({ id, ...held });
      held = undefined;
      told = performance.now();
    };
    const report: Report = (message) => {
      if ("warning" in message) return port.post({ id, ...message });
      held = message;
      if (performance.now() - told >= PROGRESS_MS) tell();
    };
    try {
      const [value, transfer = []] = await run(request, controller.signal, report);
      tell();
      port.post({ id, value }, transfer);
    } catch (error) {
      tell();
      port.post({ id, error: failure(error) });
    } finally {
      running.delete(id);
    }
  });
}
