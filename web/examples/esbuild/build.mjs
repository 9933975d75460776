// esbuild does not follow `new URL("./file", import.meta.url)`: the package's files are copied, and
// `configure` in main.js says where they are.
import { build } from "esbuild";
import { cp, mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = (file) => path.join(import.meta.dirname, file);
const out = here("dist");

const common = { entryPoints: [here("main.js")], bundle: true, minify: true, target: "es2022" };
await build({ ...common, format: "esm", outfile: path.join(out, "main.js") });
// A classic script; it has no `import.meta`.
await build({ ...common, format: "iife", outfile: path.join(out, "main.iife.js"), logOverride: { "empty-import-meta": "silent" } });

const dist = path.dirname(fileURLToPath(import.meta.resolve("clip-everywhere")));
await mkdir(path.join(out, "clip"), { recursive: true });
await cp(dist, path.join(out, "clip"), { recursive: true, filter: (file) => !file.includes(`${path.sep}types`) });
for (const page of ["index.html", "classic.html"]) await cp(here(page), path.join(out, page));
