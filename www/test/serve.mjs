// node serve.mjs SITE [PORT]
//
// The site as GitHub Pages serves it: from a folder, without COOP and COEP.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json",
  ".wasm": "application/wasm", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".woff2": "font/woff2",
};
const BASE = "/clip-everywhere/";

/** Serves `folder`; `paths` are those that were asked for. */
export async function serve(folder, port = 0) {
  const paths = [];
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));

  async function answer(request, response) {
    const { pathname } = new URL(request.url, "http://localhost");
    paths.push(pathname);
    const rest = pathname.startsWith(BASE) ? decodeURIComponent(pathname.slice(BASE.length)) : undefined;
    const file = rest !== undefined && path.join(folder, path.normalize(`/${rest === "" ? "index.html" : rest}`));
    const info = file && (await stat(file).catch(() => undefined));
    if (!info?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const wanted = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const start = wanted ? Number(wanted[1]) : 0;
    const end = Math.min(info.size - 1, wanted?.[2] ? Number(wanted[2]) : info.size - 1);
    response.writeHead(wanted ? 206 : 200, {
      "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream",
      "Content-Length": Math.max(0, end - start + 1), "Accept-Ranges": "bytes",
      ETag: `"${info.size.toString(36)}-${info.mtimeMs.toString(36)}"`, "Cache-Control": "no-cache",
      ...(wanted && { "Content-Range": `bytes ${start}-${end}/${info.size}` }),
    });
    if (request.method === "HEAD" || end < start) response.end();
    else createReadStream(file, { start, end }).pipe(response);
  }

  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const origin = `http://localhost:${server.address().port}`;
  return {
    origin, paths, url: `${origin}${BASE}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(path.resolve(process.argv[2]), Number(process.argv[3] ?? 4173));
  console.log(`The page is at ${url}; Ctrl-C ends.`);
}
