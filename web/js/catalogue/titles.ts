// Plain text match of titles, for the time before the model is there.

/** Lower case, without accents, as words. */
export function words(text: string): string[] {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Titles taken apart once. */
export class Titles {
  private readonly words: string[][];

  constructor(titles: (string | null)[]) {
    this.words = titles.map((title) => words(title ?? ""));
  }

  /**
   * The products whose titles hold most of the words of `text`, the last of which may be unfinished;
   * among equals the shorter title, then the catalogue's order.
   */
  search(text: string, limit: number, allowed?: Uint8Array): number[] {
    const wanted = [...new Set(words(text))];
    const found: { product: number; count: number; length: number }[] = [];
    this.words.forEach((title, product) => {
      if (allowed && !allowed[product]) return;
      const count = wanted.filter((word, i) =>
        title.some((t) => t === word || (i === wanted.length - 1 && t.startsWith(word)) || sameStem(t, word))).length;
      if (count > 0) found.push({ product, count, length: title.length });
    });
    found.sort((a, b) => b.count - a.count || a.length - b.length || a.product - b.product);
    return found.slice(0, limit).map(({ product }) => product);
  }
}

/** `dress` and `dresses`, `shirt` and `shirts`. */
const sameStem = (a: string, b: string) =>
  a.length > b.length ? a === `${b}s` || a === `${b}es` : b === `${a}s` || b === `${a}es`;
