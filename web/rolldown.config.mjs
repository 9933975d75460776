// Workers, each in one file: their imports would be fetched in three round trips, one after the other,
// before a worker could ask for anything else. Run after tsc, whose scripts these replace.

import path from "node:path";
import { defineConfig } from "rolldown";

// Without `compress`, which would put the names of Node's modules where bundlers for browsers see them.
const minify = { compress: false, mangle: true, codegen: true };
const here = (file) => path.join(import.meta.dirname, file);

export default defineConfig(
  ["worker", "catalogue-worker", "inspect-worker"].map((name) => ({
    input: here(`js/${name}.ts`),
    output: { file: here(`dist/${name}.js`), format: "esm", minify },
  })),
);
