// What users write, as their compiler sees it. Compiled by ../package.mjs against the tarball; the lines that
// are marked so must not compile.

import { Clip, ClipError, type ClipErrorKind, type Classification, type Embedding, type ImageSource, configure } from "clip-everywhere";
import { Catalogue, type Hit } from "clip-everywhere/catalogue";
import { ClipSearch } from "clip-everywhere/search";

export async function api(image: HTMLImageElement, canvas: HTMLCanvasElement, response: Response): Promise<Hit[]> {
  configure({ baseUrl: "/clip/" });
  await using clip = await Clip.load({ model: "/model/", towers: "both", baseUrl: new URL("https://cdn.example/clip/") });
  using catalogue = await Catalogue.open("/shop/");
  const sources: ImageSource[] = [
    image, canvas, response, new Blob(), new ArrayBuffer(8), new Uint8Array(8), new URL("https://shop.example/a.jpg"), "b.jpg",
    new ImageData(1, 1), await createImageBitmap(image), canvas.transferControlToOffscreen(),
  ];
  const embeddings: Embedding[] = await clip.embedImages(sources, { signal: AbortSignal.timeout(1000) });
  const settled: PromiseSettledResult<Embedding>[] = await clip.embedImages(sources, { settled: true });
  const labels: Classification[] = await clip.classify(image, ["a cat", "a dog"], { template: "a drawing of {}" });
  console.log(labels[0]?.label, labels[0]?.score, settled.length);
  // @ts-expect-error: there is no such tower
  await Clip.load({ model: "/model/", towers: "image" });
  // @ts-expect-error: a batch is an array
  await clip.embedImages(image);
  // @ts-expect-error: no image
  await clip.embedImage(7);
  return catalogue.search(embeddings[0]!, { limit: 3 });
}

/** A `switch` over the kinds can be complete. */
export function advice(error: ClipError): string {
  const { kind, index }: { kind: ClipErrorKind; index?: number } = error;
  // @ts-expect-error: not a kind
  if (kind === "abort") return "never";
  if (kind === "network") return `try again later${index ?? ""}`;
  return kind satisfies Exclude<ClipErrorKind, "network">;
}

export const element: ClipSearch | null = document.querySelector("clip-search");
