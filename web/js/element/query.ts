// What is searched for.

import type { Embedding } from "../clip/index.js";

/** Words or a photo. */
export interface Query {
  kind: "text" | "photo";
  name: string;
  photo?: Blob;
  /** When the user asked; undefined where a filter, or the model's arrival, asks again. */
  asked: number | undefined;
  embedding?: Embedding;
}

/** Whether two ask for the same. */
export const isSame = (a: Query, b: Query): boolean => a.kind === b.kind && a.name === b.name && a.photo === b.photo;
