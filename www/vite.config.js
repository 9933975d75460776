import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

const { version } = JSON.parse(readFileSync(new URL("../web/package.json", import.meta.url), "utf8"));

// The footer links to the source where `repository` in the workspace's Cargo.toml names it.
const cargo = readFileSync(new URL("../Cargo.toml", import.meta.url), "utf8");
const repository = /^repository = "(https:[^"]+)"/m.exec(cargo)?.[1];
const source = {
  name: "source",
  transformIndexHtml: (html) =>
    html.replace("<!--source-->", repository === undefined ? "" : `<a href="${repository}">Source</a>, `),
};

export default defineConfig({
  // Anywhere: GitHub Pages serves it from a folder.
  base: "./",
  plugins: [source],
  define: { __VERSION__: JSON.stringify(version) },
  build: {
    outDir: "../target/www",
    emptyOutDir: true,
    // The Content-Security-Policy lets nothing inline in; small files stay files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
