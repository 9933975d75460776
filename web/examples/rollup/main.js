import { find } from "./find.js";

// The folders of `scraper model pack` and `scraper export --format web`.
const output = document.querySelector("output");
find({ model: "/model/", shop: "/shop/", words: "red floral dress", photo: "/photo.jpg" }).then(
  (found) => (output.value = JSON.stringify(found)),
  (error) => (output.value = `${error.kind}: ${error.message}`),
);
