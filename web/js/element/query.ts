// What is searched for.

import type { Embedding } from "../clip/index.js";

/** Words, a photo, or a product that others are to be like. */
export interface Query {
  kind: "text" | "photo" | "similar";
  /** The words, the name of the photo's file, or the product's title. */
  name: string;
  photo?: Blob;
  like?: { id: string; source?: string };
  /** Address of an image that shows it. */
  image?: string | undefined;
  /** When the user asked. */
  asked: number;
  embedding?: Embedding;
}

/** Whether two ask for the same. */
export const isSame = (a: Query, b: Query): boolean =>
  a.kind === b.kind && a.photo === b.photo && a.like?.id === b.like?.id && a.like?.source === b.like?.source &&
  (a.kind === "similar" || a.name === b.name);
