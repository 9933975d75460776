// A service worker can import the package, and is told that it cannot load a model.
import { Clip } from "./clip/index.js";

addEventListener("message", (event) => {
  Clip.load({ model: "/model/" }).then(
    () => event.source.postMessage("loaded"),
    (error) => event.source.postMessage(`${error.kind}: ${error.message}`),
  );
});
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
