// A static host on localhost with the faults of real ones, for the tests.

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript",
  ".css": "text/css", ".json": "application/json", ".wasm": "application/wasm",
  ".jpg": "image/jpeg", ".webp": "image/webp", ".png": "image/png",
};
const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src 'self' blob:";

/**
 * Serves `mounts` (URL prefix to folder, or address to file) on a `port`, or any that is free. `isolated`
 * adds COOP and COEP, `csp` a strict Content-Security-Policy (or this one; and `policy` more of it), `cors`
 * lets other origins read, `held` keeps files in memory, so that a measurement on the same machine is not
 * one of this server, `caching` is the `Cache-Control` of models and catalogues, `answers` gives JSON at some
 * addresses (a function of request and body, which gives status and value). The returned `faults` may be
 * changed at any time:
 * - `cut`: closes the connection after so many bytes of a body, as often as `cuts` says
 * - `ignoreRange`: answers 200 with the whole file
 * - `corrupt`: `{ file, at }`, a byte of a file (by a part of its name) that arrives wrong
 * - `then`: what to refuse after the first cut
 * - `refuse`: paths that start with this get no answer at all
 * - `stall`: paths that start with this get their answer when this is taken away
 * - `pause`: milliseconds between pieces of 256 kB
 * - `gzip`: compresses what static hosts do
 * `log` holds `{ url, status, range, bytes }` of every request.
 */
export async function serve(mounts, { port: wanted = 0, isolated = false, csp = true, policy = "", cors = false, held = false, caching = "no-cache", answers = {} } = {}) {
  const files = new Map();
  const faults = {};
  const log = [];
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });

  async function answer(request, response) {
    const url = new URL(request.url, "http://localhost");
    const entry = { url: url.pathname, status: 0, range: request.headers.range, bytes: 0 };
    log.push(entry);
    if (faults.refuse && url.pathname.startsWith(faults.refuse)) {
      request.socket.destroy();
      return;
    }
    while (faults.stall && url.pathname.startsWith(faults.stall) && !response.destroyed) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    if (csp) response.setHeader("Content-Security-Policy", [csp === true ? CSP : csp, policy].filter(Boolean).join("; "));
    if (cors) response.setHeader("Access-Control-Allow-Origin", "*");
    if (Object.hasOwn(answers, url.pathname)) {
      const [status, value] = await answers[url.pathname](request, Buffer.concat(await request.toArray()));
      response.writeHead(entry.status = status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
      return;
    }
    const prefix = Object.keys(mounts).filter((p) => url.pathname.startsWith(p))
      .sort((a, b) => b.length - a.length)[0];
    const rest = prefix && decodeURIComponent(url.pathname.slice(prefix.length));
    const file = rest === "" && !prefix.endsWith("/") ? mounts[prefix] : prefix && path.join(mounts[prefix], path.normalize(`/${rest}`));
    const info = file && (await stat(file).catch(() => undefined));
    if (!info?.isFile()) {
      response.statusCode = entry.status = 404;
      response.end();
      return;
    }
    const etag = `"${info.size.toString(36)}-${info.mtimeMs.toString(36)}"`;
    response.setHeader("Content-Type", TYPES[path.extname(file)] ?? "application/octet-stream");
    response.setHeader("ETag", etag);
    response.setHeader("Accept-Ranges", "bytes");
    response.setHeader("Cache-Control", ["/models/", "/onnx/", "/shop/"].includes(prefix) ? caching : "max-age=3600");
    const wanted = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const same = !request.headers["if-range"] || request.headers["if-range"] === etag;
    let [start, end] = [0, info.size - 1];
    entry.status = 200;
    if (wanted && same && !faults.ignoreRange) {
      start = Number(wanted[1]);
      if (wanted[2] !== "") end = Math.min(end, Number(wanted[2]));
      entry.status = 206;
      response.setHeader("Content-Range", `bytes ${start}-${end}/${info.size}`);
    }
    response.statusCode = entry.status;
    response.setHeader("Content-Length", end - start + 1);
    if (request.method === "HEAD" || end < start) {
      response.end();
      return;
    }
    if (faults.gzip && !wanted && /^(text|application)\/(?!octet)/.test(response.getHeader("Content-Type"))) {
      response.removeHeader("Content-Length");
      response.setHeader("Content-Encoding", "gzip");
      const body = gzipSync(await readFile(file));
      entry.bytes = body.length;
      response.end(body);
      return;
    }
    if (held) {
      if (!files.has(file)) files.set(file, await readFile(file));
      response.end(files.get(file).subarray(start, end + 1));
      return;
    }
    let position = start;
    response.setMaxListeners(0);
    const model = url.pathname.startsWith("/models/") && url.pathname.endsWith(".safetensors");
    for await (const piece of createReadStream(file, { start, end, highWaterMark: 1 << 18 })) {
      const at = faults.corrupt && url.pathname.includes(faults.corrupt.file)
        ? faults.corrupt.at - position : -1;
      if (at >= 0 && at < piece.length) piece[at] ^= 1;
      if (model && faults.cuts > 0 && entry.bytes + piece.length > faults.cut) {
        faults.cuts -= 1;
        // A browser drops what it holds unread when the cut comes: give the page time to read.
        response.write(piece.subarray(0, faults.cut - entry.bytes), () => {
          setTimeout(() => request.socket.destroy(), 300);
        });
        entry.bytes = faults.cut;
        if (faults.then) faults.refuse = faults.then;
        return;
      }
      position += piece.length;
      if (response.destroyed) return;
      entry.bytes += piece.length;
      if (!response.write(piece)) {
        await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
      }
      if (model && faults.pause) await new Promise((resolve) => setTimeout(resolve, faults.pause));
    }
    response.end();
  }

  await new Promise((resolve, reject) => server.once("error", reject).listen(wanted, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    // By name: a secure context, as 127.0.0.1 is, and an origin like any other.
    origin: `http://localhost:${port}`,
    faults,
    log,
    reset() {
      for (const key of Object.keys(faults)) delete faults[key];
      log.length = 0;
    },
    /** Ends what a visitor who has gone still asks for: it would count as the next one's. */
    hangUp: () => server.closeAllConnections(),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
