// webpack finds the package's workers and wasm modules by itself: nothing of this is about them.
import { copyFile } from "node:fs/promises";
import path from "node:path";
import webpack from "webpack";

const here = (file) => path.join(import.meta.dirname, file);

/** @type {import("webpack").Configuration} */
const configuration = {
  mode: "production",
  context: here("."),
  // One uses the package in the page, one in a worker of its own.
  entry: { main: "./main.js", page: "./page.js" },
  output: {
    path: here("dist"),
    filename: "[name].js",
    // Files of another origin (a CDN): its address.
    publicPath: process.env.CDN ?? "auto",
  },
  performance: { hints: false },
};

webpack(configuration, async (error, stats) => {
  if (error || stats.hasErrors()) {
    console.error(error ?? stats.toString());
    process.exit(1);
  }
  for (const page of ["index.html", "worker.html"]) await copyFile(here(page), path.join(configuration.output.path, page));
});
