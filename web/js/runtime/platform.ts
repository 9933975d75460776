// What browsers and Node do differently.

import { ClipError } from "./errors.js";

/** Whether this is Node (and not a browser, or a bundle for one). */
export const isNode = typeof process === "object" && typeof process.versions?.node === "string"
  && typeof (globalThis as { window?: unknown }).window === "undefined";

// Names in variables, so that bundlers for the browser do not look for these modules.
const FS = "node:fs/promises";
const OS = "node:os";
const PATH = "node:path";
const THREADS = "node:worker_threads";
const URLS: string = "node:url";

/** Node's files. */
export const fs = (): Promise<typeof import("node:fs/promises")> => import(/* @vite-ignore */ FS);
/** Node's machine. */
export const os = (): Promise<typeof import("node:os")> => import(/* @vite-ignore */ OS);
/** Node's names of files. */
export const path = (): Promise<typeof import("node:path")> => import(/* @vite-ignore */ PATH);
/** Node's workers. */
export const workerThreads = (): Promise<typeof import("node:worker_threads")> =>
  import(/* @vite-ignore */ THREADS);

/** One end of a conversation with a worker. */
export interface Port {
  post(message: unknown, transfer?: Transferable[]): void;
  onMessage(handler: (message: any) => void): void;
}

/** A worker, seen from outside. */
export interface WorkerPort extends Port {
  onError(handler: (reason: string) => void): void;
  /** Whether the program (in Node) goes on while the worker lives. */
  keepAlive(on: boolean): void;
  terminate(): void;
}

/**
 * A worker whose script lies on another origin (a CDN), for which `new Worker` throws: one of this
 * page's origin that imports it. The other origin needs CORS headers, a policy `worker-src blob:`.
 */
export function foreignWorker(script: string, name: string, error: unknown): Worker {
  const url = new URL(script, import.meta.url).href;
  if (!(error instanceof DOMException) || url.startsWith(location.origin)) throw error;
  const source = URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" }));
  try {
    return new Worker(source, { type: "module", name });
  } finally {
    // The worker has it by then.
    setTimeout(() => URL.revokeObjectURL(source), 60_000);
  }
}

/** A `Worker` of the browser. */
export function browserWorker(worker: Worker): WorkerPort {
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    onMessage: (handler) => worker.addEventListener("message", (e) => handler(e.data)),
    onError: (handler) =>
      worker.addEventListener("error", (e) =>
        handler(e.message || "its script could not be loaded (is it served, and by this page's Content-Security-Policy allowed?)"),
      ),
    keepAlive: () => undefined,
    terminate: () => worker.terminate(),
  };
}

/** A worker of Node that runs the module at `url`. */
export async function nodeWorker(url: string): Promise<WorkerPort> {
  const { Worker } = await workerThreads();
  const worker = new Worker(new URL(url));
  worker.unref();
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as never),
    onMessage: (handler) => worker.on("message", handler),
    onError: (handler) => worker.on("error", (error) => handler(error.message)),
    keepAlive: (on) => (on ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
  };
}

/** Inside a worker: the way to the one who started it. */
export async function parent(): Promise<Port> {
  if (isNode) {
    const { parentPort } = await workerThreads();
    if (!parentPort) throw new Error("worker.js is not a program of its own");
    return {
      post: (message, transfer = []) => parentPort.postMessage(message, transfer as never),
      onMessage: (handler) => parentPort.on("message", handler),
    };
  }
  const scope = globalThis as unknown as DedicatedWorkerGlobalScope;
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    onMessage: (handler) => scope.addEventListener("message", (e) => handler(e.data)),
  };
}

/** An absolute address: of what is relative to the page, or (in Node) of a path. `advice` is for what is neither. */
export async function address(of: string | URL, advice: string): Promise<string> {
  if (of instanceof URL) return of.href;
  if (typeof of !== "string" || of === "") throw new ClipError("input", advice);
  if (isNode) {
    if (/^(https?|file):/.test(of)) return of;
    const { pathToFileURL } = await import(/* @vite-ignore */ URLS);
    return (pathToFileURL as (path: string) => URL)(of).href;
  }
  if (!URL.canParse(of, document.baseURI)) throw new ClipError("input", `${of} is not an address: ${advice}`);
  return new URL(of, document.baseURI).href;
}

/** Logical processors. */
export async function processors(): Promise<number> {
  if (isNode) return (await os()).availableParallelism();
  return navigator.hardwareConcurrency || 1;
}

/** SHA-256 in hexadecimal. `crypto.subtle` exists only in secure contexts (https, localhost). */
export async function sha256(bytes: Uint8Array): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
}
