// dist: the entries of the package, which share what they have in common; and the workers, each in one
// file: their imports would be fetched in three round trips, one after the other, before a worker
// could ask for anything else. tsc checks the types and writes the .d.ts.

import path from "node:path";
import { defineConfig } from "rolldown";

const here = (file) => path.join(import.meta.dirname, file);
// Without `compress`, which would put the names of Node's modules where bundlers for browsers see them.
const output = {
  format: "esm",
  minify: { compress: false, mangle: true, codegen: true },
};
// What the worker loads for those who ask for a GPU, with its shaders as texts.
const gpu = {
  input: here("js/gpu/index.ts"),
  moduleTypes: { ".wgsl": "text" },
  output: { ...output, file: here("dist/gpu.js") },
};
const workers = { worker: "clip", "catalogue-worker": "catalogue", "inspect-worker": "inspect" };

export default defineConfig([
  {
    input: {
      index: here("js/clip/index.ts"),
      catalogue: here("js/catalogue/index.ts"),
      search: here("js/element/index.ts"),
      inspect: here("js/inspect/index.ts"),
      "inspect-compare": here("js/inspect/compare.ts"),
    },
    output: { ...output, dir: here("dist"), chunkFileNames: "[name].js" },
  },
  gpu,
  ...Object.entries(workers).map(([name, folder]) => ({
    input: here(`js/${folder}/worker.ts`),
    output: { ...output, file: here(`dist/${name}.js`) },
  })),
]);
