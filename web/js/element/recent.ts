// Queries of earlier visits, if the shop asks for it. They stay on this device.

/** Queries that are kept. */
const KEPT = 8;

/** The latest queries for one catalogue, newest first. */
export class Recent {
  private readonly key: string;

  constructor(index: string) {
    this.key = `clip-search-recent:${URL.canParse(index, document.baseURI) ? new URL(index, document.baseURI).href : index}`;
  }

  all(): string[] {
    try {
      const list: unknown = JSON.parse(localStorage.getItem(this.key) ?? "[]");
      return Array.isArray(list) ? list.filter((text): text is string => typeof text === "string").slice(0, KEPT) : [];
    } catch {
      // no storage, or not ours
      return [];
    }
  }

  add(text: string): void {
    if (text !== "") this.write([text, ...this.all().filter((other) => other !== text)].slice(0, KEPT));
  }

  /** Removes one, or all. */
  remove(text?: string): void {
    this.write(text === undefined ? [] : this.all().filter((other) => other !== text));
  }

  private write(list: string[]): void {
    try {
      if (list.length === 0) localStorage.removeItem(this.key);
      else localStorage.setItem(this.key, JSON.stringify(list));
    } catch {
      // no storage: nothing is remembered
    }
  }
}
