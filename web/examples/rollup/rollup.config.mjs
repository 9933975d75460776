import { importMetaAssets } from "@web/rollup-plugin-import-meta-assets";
import nodeResolve from "@rollup/plugin-node-resolve";
import { copyFile } from "node:fs/promises";
import path from "node:path";

const here = (file) => path.join(import.meta.dirname, file);
const dir = here("dist");

export default {
  input: here("main.js"),
  output: { dir, format: "es" },
  plugins: [
    nodeResolve({ browser: true }),
    // Copies the package's workers and wasm modules, under names with a digest.
    importMetaAssets(),
    { name: "page", writeBundle: () => copyFile(here("index.html"), path.join(dir, "index.html")) },
  ],
};
