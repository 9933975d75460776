// The sample shop: a chosen product goes to the inspector.

import type { SelectDetail } from "clip-everywhere/search";

import { byId, showError } from "./dom.js";
import { imageAt, site } from "./site.js";

export function searchView(inspect: (file: Blob, name: string) => void): void {
  const note = byId("search-note");
  const element = document.querySelector("clip-search");
  const suggestions = byId("suggestions");
  for (const button of suggestions.querySelectorAll("button")) {
    button.addEventListener("click", () => element?.search(button.textContent ?? ""));
  }
  // They make room for products, on a phone with the heading.
  element?.addEventListener("clip-search-results", ({ detail }) => {
    suggestions.hidden = detail.hits.length > 0;
    byId("view-search").classList.toggle("found", suggestions.hidden);
  });
  element?.addEventListener("clip-search-select", (event: CustomEvent<SelectDetail>) => {
    // The sample shop has no product pages.
    event.preventDefault();
    const [image] = event.detail.hit.card.images;
    if (image === undefined) return;
    const address = new URL(image, new URL("shop/", document.baseURI)).href;
    imageAt(address).then((file) => inspect(file, image.split("/").at(-1) ?? image), (error) => showError(note, error));
  });
  site().then(({ trained }) => {
    for (const random of document.querySelectorAll<HTMLElement>("[data-random]")) random.hidden = trained;
  }, (error) => showError(note, error));
}
