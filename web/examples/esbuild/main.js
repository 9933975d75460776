import { configure } from "clip-everywhere";
import { find } from "./find.js";

// Where `build.mjs` copies the package's workers and wasm modules: esbuild does not follow them.
configure({ baseUrl: new URL("./clip/", document.currentScript?.src ?? import.meta.url) });

// The folders of `scraper model pack` and `scraper export --format web`.
const output = document.querySelector("output");
find({ model: "/model/", shop: "/shop/", words: "red floral dress", photo: "/photo.jpg" }).then(
  (found) => (output.value = JSON.stringify(found)),
  (error) => (output.value = `${error.kind}: ${error.message}`),
);
