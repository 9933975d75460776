import { find } from "./find.js";

// Model and catalogue lie on the CDN as well, at addresses that do not depend on the page's.
const beside = (folder) => new URL(folder, import.meta.url).href;
const show = (text) => {
  document.querySelector("output").value = text;
  // As in sandbox.html.
  if (parent !== window) parent.postMessage(text, "*");
};
find({ model: beside("/model/"), shop: beside("/shop/"), words: "red floral dress", photo: beside("/photo.jpg") }).then(
  (found) => show(JSON.stringify(found)),
  (error) => show(`${error.kind}: ${error.message}`),
);
