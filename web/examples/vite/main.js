import "clip-everywhere/search";

const search = document.querySelector("clip-search");
search.labels = { placeholder: "A red dress with flowers" };

// What the shop wants to know about its searches.
search.addEventListener("clip-search-results", ({ detail: { query, kind, by, hits, ms } }) => {
  console.info(`${kind} ${JSON.stringify(query)}: ${hits.length} products by the ${by} in ${ms.toFixed()} ms`);
});

// A product opens as the shop likes it.
search.addEventListener("clip-search-select", (event) => {
  const { card } = event.detail.hit;
  if (!card.url) event.preventDefault();
});
