// Threads of the pool. The page starts them, not the worker of the model: where one worker starts
// another while a debugger or a test driver watches, Firefox can miss the wake-up between the two
// (WorkerPrivate::WaitForIsDebuggerRegistered), and the load would never end.

import { initSync, runThread } from "../bindings/engine-threads.js";
import { type ClipError, reason } from "../runtime/errors.js";
import type { Port, WorkerPort } from "../runtime/platform.js";

/** Bytes of a thread's stack: pages of wasm. */
const STACK = 1 << 20;

/** What a thread begins with: the module and the memory of the others. */
export interface Start {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

/** Starts a thread; resolves when it runs. */
export type Spawn = (start: Start) => Promise<void>;

/** The page's side: `worker`, with threads from `open` where it asks for them. They end with it. */
export function withThreads(worker: WorkerPort, open: () => Promise<WorkerPort>): WorkerPort {
  const threads: WorkerPort[] = [];
  const handlers: ((error: ClipError) => void)[] = [];
  let ended = false;
  worker.onMessage(async ({ spawn, start }: { spawn?: number; start: Start }) => {
    if (spawn === undefined) return;
    const answer = (error?: string) => worker.post({ op: "spawned", spawn, error });
    try {
      const thread = await open();
      if (ended) return void thread.terminate();
      threads.push(thread);
      let runs = false;
      thread.onMessage(() => {
        runs = true;
        answer();
      });
      // The others would wait for ever for one that crashed.
      thread.onError((error) => (runs ? handlers.forEach((handler) => handler(error)) : answer(error.message)));
      thread.post({ op: "thread", start });
    } catch (error) {
      answer(reason(error));
    }
  });
  return {
    ...worker,
    onError(handler) {
      handlers.push(handler);
      worker.onError(handler);
    },
    async terminate() {
      ended = true;
      await Promise.all([worker, ...threads].map((port) => port.terminate()));
    },
  };
}

/** The worker's side. */
export function spawner(page: Port): Spawn {
  const waiting: ((error?: string) => void)[] = [];
  page.onMessage(({ op, spawn, error }: { op: string; spawn: number; error?: string }) => {
    if (op === "spawned") waiting[spawn]?.(error);
  });
  return (start) => new Promise((resolve, reject) => {
    const settle = (error?: string) => (error === undefined ? resolve() : reject(new Error(error)));
    page.post({ spawn: waiting.push(settle) - 1, start });
  });
}

/** The thread's side: runs it when `page` says so. That never returns. */
export function threadOf(page: Port): void {
  page.onMessage(({ op, start }: { op: string; start: Start }) => {
    if (op !== "thread") return;
    // Its stack and thread-local variables are taken from the shared memory.
    initSync({ ...start, thread_stack_size: STACK });
    page.post("ready");
    runThread();
  });
}
