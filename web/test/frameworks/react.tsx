// Both ways of React 19: the component, and the bare tag; in StrictMode, which mounts everything twice.

import { StrictMode, createElement, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { ClipSearch, type ClipSearchElement } from "clip-everywhere/react";

declare global {
  interface Window { seen: unknown[]; element: ClipSearchElement | null }
}
window.seen = [];

function App() {
  const [limit, setLimit] = useState(5);
  const [there, setThere] = useState(true);
  const [query, setQuery] = useState("");
  const own = useRef<ClipSearchElement>(null);
  return (
    <>
      <button onClick={() => setLimit(7)}>seven</button>
      <button onClick={() => setThere(!there)}>toggle</button>
      <button onClick={() => setQuery("blue")}>blue</button>
      <button onClick={() => (window.element = own.current)}>ref</button>
      {there && (
        <ClipSearch
          id="component" className="shop" index="/shop/" model="/model/" mode="words" limit={limit} recent={false} query={query}
          labels={{ search: "Suchen" }} filters={{ availability: ["in_stock"] }} ref={own}
          onResults={(event) => window.seen.push([limit, event.detail.query, event.detail.hits.length])}
          onSelect={(event) => {
            event.preventDefault();
            window.seen.push(event.detail.hit.id);
          }}
        />
      )}
      <clip-search
        id="tag" index="/shop/" model="/model/" mode="words" limit={3} url="off" labels={{ search: "Chercher" }}
        onclip-search-results={(event) => window.seen.push(["tag", event.detail.hits.length])}
      />
    </>
  );
}

createRoot(document.querySelector("#app")!).render(createElement(StrictMode, null, createElement(App)));
document.title = "ready";
