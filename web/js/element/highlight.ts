// The words of a title that matched.

import { make } from "./dom.js";

/** Lower case, without accents. */
const fold = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The title's text, with `<mark>` around each word that is among `words`, accents and case aside. */
export function highlight(title: string, words: readonly string[] | undefined): (Node | string)[] {
  if (!words || words.length === 0) return [title];
  const wanted = new Set(words.map(fold));
  const parts: (Node | string)[] = [];
  let from = 0;
  for (const { 0: word, index } of title.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    if (!wanted.has(fold(word))) continue;
    parts.push(title.slice(from, index), make("mark", {}, word));
    from = index + word.length;
  }
  return [...parts, title.slice(from)].filter((p) => p !== "");
}
