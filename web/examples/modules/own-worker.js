import { find } from "./find.js";

find({ model: "/model/", shop: "/shop/", words: "red floral dress", photo: "/photo.jpg" }).then(
  (found) => postMessage(JSON.stringify(found)),
  (error) => postMessage(`${error.kind}: ${error.message}`),
);
