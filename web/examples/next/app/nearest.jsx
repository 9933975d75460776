"use client";

// This registers <clip-search> in the browser; on the server it writes the tag.
import { ClipSearch } from "clip-everywhere/react";
import { useEffect, useState } from "react";

import { find } from "./find.js";

export function Nearest({ model, shop, photo }) {
  const [found, setFound] = useState("");
  useEffect(() => {
    find({ model, shop, words: "red floral dress", photo }).then(
      (found) => setFound(JSON.stringify(found)),
      (error) => setFound(`${error.kind}: ${error.message}`),
    );
  }, [model, shop, photo]);
  return (
    <>
      <ClipSearch index={shop} model={model} />
      <output>{found}</output>
    </>
  );
}
