// The products of <clip-search>, and the places of those on their way.

import { ALIKE, icon, make, part, safe, short } from "./dom.js";
import { highlight } from "./highlight.js";
import type { Result } from "./results.js";
import type { Texts } from "./texts.js";

/** Places that are shown for products on their way. */
const PLACES = 6;

/** What a visitor does with a product. */
export interface CardActions {
  /** Whether the shop follows the link. */
  select(hit: Result, position: number): boolean;
  similar(hit: Result): void;
}

/** The list of products. */
export class Cards {
  readonly list = part("ul", "results", { role: "list", hidden: true });
  readonly skeletons = part(
    "div", "skeletons", { hidden: true, "aria-hidden": "true" },
    ...Array.from({ length: PLACES }, () => part("div", "skeleton", {}, make("span"), make("span"), make("span"))),
  );
  private hits: readonly Result[] = [];
  private keys: string[] = [];

  constructor(
    private readonly texts: Texts,
    actions: CardActions,
  ) {
    this.list.addEventListener("click", (event) => {
      const at = Array.from(this.list.children).findIndex((item) => event.composedPath().includes(item));
      const hit = this.hits[at];
      const button = (event.target as Element).closest(".similar");
      if (!hit) return;
      if (button) actions.similar(hit);
      else if (event.composedPath().includes(this.all()[at]!) && !actions.select(hit, at)) event.preventDefault();
    });
  }

  /** The cards. */
  all(): HTMLElement[] {
    return Array.from(this.list.children, (item) => item.firstElementChild as HTMLElement);
  }

  /** Draws them anew, in other texts. */
  redraw(base: string): void {
    const { hits } = this;
    this.keys = [];
    this.show(hits, base);
  }

  /** What stays is not drawn again: its image would flicker. */
  show(hits: readonly Result[], base: string): void {
    if (hits === this.hits && this.keys.length === hits.length) return;
    const keys = hits.map(({ card, image, words }) => JSON.stringify([base, card.source, card.id, image, words, card.title]));
    const items = Array.from(this.list.children);
    let same = 0;
    while (same < keys.length && same < this.keys.length && keys[same] === this.keys[same]) same += 1;
    const known = new Map(this.keys.slice(same).map((key, i) => [key, items[same + i]!]));
    const focused = (this.list.getRootNode() as ShadowRoot).activeElement as HTMLElement | null;
    for (const item of items.slice(same)) item.remove();
    this.list.append(...hits.slice(same).map((hit, i) => {
      const key = keys[same + i]!;
      const item = known.get(key);
      known.delete(key);
      return item ?? this.item(hit, base);
    }));
    if (focused && focused.isConnected && this.list.contains(focused)) focused.focus({ preventScroll: true });
    [this.hits, this.keys] = [hits, keys];
    this.list.hidden = hits.length === 0;
  }

  /** Products that a newer question will replace. */
  stale(on: boolean): void {
    this.list.classList.toggle("old", on);
    this.list.setAttribute("aria-busy", String(on));
  }

  private item(hit: Result, base: string): HTMLElement {
    const { card } = hit;
    const title = short(card.title ?? card.brand ?? this.texts.say("untitled"));
    const name = this.texts.say("similar", { title });
    const similar = part(
      "button", "similar", { type: "button", part: "button similar-button", "aria-label": name, title: name }, icon(ALIKE),
    );
    return part("li", "item", {}, this.card(hit, base), similar);
  }

  private card({ card, image, words }: Result, base: string): HTMLElement {
    const { texts } = this;
    const { title, brand, price, currency, availability } = card;
    const href = safe(card.url, base);
    const element = href === undefined
      ? part("button", "card", { type: "button" }) : part("a", "card", { href });
    const src = safe(image, base);
    // The title says it in words beside the image.
    const img = part("img", "picture", { loading: "lazy", decoding: "async", alt: title ? "" : texts.say("untitled") });
    if (src !== undefined) img.src = src;
    img.addEventListener("error", () => img.removeAttribute("src"), { once: true });
    const shown = title === undefined ? [brand ? "" : texts.say("untitled")] : highlight(short(title), words);
    element.append(img, part("span", "title", { dir: "auto" }, ...shown));
    if (brand) element.append(part("span", "brand", { dir: "auto" }, short(brand)));
    if (price !== undefined) element.append(part("span", "price", {}, texts.price(price, currency)));
    if (availability && availability !== "in_stock" && texts.has(availability)) {
      element.append(part("span", "availability", {}, texts.say(availability)));
    }
    return element;
  }

  /** Arrows move among the products, as in a grid; from the field down to them. */
  arrows(event: KeyboardEvent, field: HTMLElement): void {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
    const cards = this.all();
    const target = event.composedPath()[0];
    const at = cards.indexOf(target as HTMLElement);
    let to = -1;
    if (at < 0) {
      if (target === field && event.key === "ArrowDown") to = 0;
    } else {
      const top = (card: HTMLElement) => card.getBoundingClientRect().top;
      const columns = cards.filter((card) => top(card) === top(cards[0]!)).length;
      const forward = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
      const step = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: columns, ArrowUp: -columns }[event.key];
      if (event.key === "Home") to = 0;
      else if (event.key === "End") to = cards.length - 1;
      else if (step !== undefined) to = at + step;
      if (event.key === "ArrowUp" && to < 0) {
        field.focus();
        event.preventDefault();
      }
    }
    const card = cards[to];
    if (!card) return;
    event.preventDefault();
    card.focus();
  }
}
