// Starting workers, wherever their script lies.

import { ClipError, reason } from "./errors.js";
import { type WorkerPort, isNode, workerThreads } from "./platform.js";

/** A worker that runs the module at `url`. */
export async function startWorker(url: string, name: string): Promise<WorkerPort> {
  return isNode ? nodeWorker(url, name) : browserWorker(url, name);
}

/**
 * A `Worker` of the browser. Its script must be of this page's origin; for that of another (a CDN, or any
 * for a sandboxed frame) it is one of this origin that imports it, which takes CORS headers there.
 */
function browserWorker(url: string, name: string): WorkerPort {
  if (typeof Worker === "undefined") throw new ClipError("environment", noWorkers());
  const from = new URL(url).origin;
  const foreign = from !== globalThis.origin;
  const source = foreign ? importer(url) : url;
  const policy = foreign ? `${new URL(source).protocol} ${from}` : "'self'";
  const cannot = (why: string) => new ClipError(
    "environment",
    `the worker ${url} could not be started${why}: see that it is served as JavaScript` +
      `${foreign ? " and with Access-Control-Allow-Origin" : ""}, and that the Content-Security-Policy has ` +
      `worker-src ${policy}. \`baseUrl\` says where the package's files lie`,
  );
  let worker: Worker;
  try {
    worker = new Worker(source, { type: "module", name });
  } catch (error) {
    throw cannot(` (${reason(error)})`);
  } finally {
    // The worker has it by then.
    if (foreign) setTimeout(() => URL.revokeObjectURL(source), 60_000);
  }
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    onMessage: (handler) => worker.addEventListener("message", (e) => handler(e.data)),
    // Without a message where the script could not be loaded.
    onError: (handler) => worker.addEventListener("error", (e) => handler(e.message ? crashed(e.message) : cannot(""))),
    keepAlive: () => undefined,
    terminate: async () => worker.terminate(),
  };
}

/** Address of a module that imports another. */
function importer(url: string): string {
  const source = `import ${JSON.stringify(url)};`;
  // In a sandboxed frame, Chromium takes no module from a blob.
  if (globalThis.origin === "null") return `data:text/javascript,${encodeURIComponent(source)}`;
  return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
}

/** A worker of Node. The program does not wait for it, unless it is asked to. */
async function nodeWorker(url: string, name: string): Promise<WorkerPort> {
  const cannot = (error: unknown) => new ClipError(
    "environment",
    `the worker ${url} could not be started (${reason(error)}): where a bundler leaves the files of ` +
      "clip-everywhere/dist behind, `baseUrl` must name a folder with a copy of them",
    { cause: error },
  );
  const { Worker } = await workerThreads();
  // Of a program that came as a string (`node --input-type=module -e …`), not of a worker's file.
  const flags = process.execArgv.some((flag) => flag.startsWith("--input-type")) ? { execArgv: [] } : {};
  let worker: import("node:worker_threads").Worker;
  try {
    worker = new Worker(new URL(url), { name, ...flags });
  } catch (error) {
    throw cannot(error);
  }
  let alive = false;
  const keepAlive = (on: boolean) => {
    alive = on;
    if (on) worker.ref();
    else worker.unref();
  };
  keepAlive(false);
  const absent = (error: Error) => /^(ERR_)?MODULE_NOT_FOUND$/.test((error as { code?: string }).code ?? "");
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as never),
    onMessage: (handler) => {
      worker.on("message", handler);
      // A listener makes the program wait for the worker.
      keepAlive(alive);
    },
    onError: (handler) => worker.on("error", (error) => handler(absent(error) ? cannot(error) : crashed(error.message))),
    keepAlive,
    terminate: async () => void (await worker.terminate()),
  };
}

const crashed = (why: string) => new ClipError("engine", `its worker ended (${why}): load it again`);

function noWorkers(): string {
  return "ServiceWorkerGlobalScope" in globalThis
    ? "a service worker cannot start the workers that this needs: load it in the page or in a dedicated worker, " +
      "and ask there by messages"
    : "there is no `Worker` here (a shared worker, or a DOM without one, such as jsdom): load it in a page, in a " +
      "dedicated worker or in Node";
}
