import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

const { version } = JSON.parse(readFileSync(new URL("../web/package.json", import.meta.url), "utf8"));

export default defineConfig({
  // Anywhere: GitHub Pages serves it from a folder.
  base: "./",
  define: { __VERSION__: JSON.stringify(version) },
  build: {
    outDir: "../target/www",
    emptyOutDir: true,
    // The Content-Security-Policy lets nothing inline in; small files stay files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
