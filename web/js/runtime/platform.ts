// What browsers and Node do differently.

import { ClipError } from "./errors.js";

/** Whether this is Node (and not a browser, or a bundle for one). */
export const isNode = typeof process === "object" && typeof process.versions?.node === "string"
  && typeof (globalThis as { window?: unknown }).window === "undefined";

/** A module of Node. Bundlers for the browser do not see it, and webpack's do not look for it in the bundle. */
async function builtin<T>(name: string): Promise<T> {
  const found: unknown = process.getBuiltinModule?.(name);
  // Before Node 20.16.
  return (found ?? (await import(/* @vite-ignore */ /* webpackIgnore: true */ name))) as T;
}

/** Node's files. */
export const fs = () => builtin<typeof import("node:fs/promises")>("node:fs/promises");
/** Node's machine. */
export const os = () => builtin<typeof import("node:os")>("node:os");
/** Node's names of files. */
export const path = () => builtin<typeof import("node:path")>("node:path");
/** Node's workers. */
export const workerThreads = () => builtin<typeof import("node:worker_threads")>("node:worker_threads");

/** One end of a conversation with a worker. */
export interface Port {
  post(message: unknown, transfer?: Transferable[]): void;
  onMessage(handler: (message: any) => void): void;
}

/** A worker, seen from outside. */
export interface WorkerPort extends Port {
  /** Why it ended by itself. */
  onError(handler: (error: ClipError) => void): void;
  /** Whether the program (in Node) goes on while the worker lives. */
  keepAlive(on: boolean): void;
  /** Resolves when it has ended, where the platform tells. */
  terminate(): Promise<void>;
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

/**
 * An absolute address: of what is relative to the page, or (in Node) of a path. `advice` is for what is
 * neither.
 */
export async function address(of: string | URL, advice: string): Promise<string> {
  if (of instanceof URL) return of.href;
  if (typeof of !== "string" || of === "") throw new ClipError("input", advice);
  if (isNode) {
    if (/^(https?|file|data|blob):/.test(of)) return of;
    const { pathToFileURL } = await builtin<{ pathToFileURL(path: string): URL }>("node:url");
    return pathToFileURL(of).href;
  }
  try {
    return new URL(of, here()).href;
  } catch {
    throw new ClipError("input", `${of} is not an address here: ${advice}`);
  }
}

/** What addresses are relative to: the page, or the worker that this runs in. */
export function here(): string | undefined {
  if (isNode) return undefined;
  if (typeof document !== "undefined") return document.baseURI;
  if (/^https?:/.test(location.href)) return location.href;
  // A worker from a blob: nothing is relative to that, but what begins with a slash still has a host.
  return origin === "null" ? undefined : origin;
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
