// Elements without a framework. Text is always text, never markup.

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | undefined | ((event: any) => void)>;

/** `h("p", { class: "note" }, "text")`; attributes that are functions are event listeners. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Child | Child[])[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** As [`h`], for SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Child | Child[])[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill<E extends Element>(element: E, attributes: Attributes, children: (Child | Child[])[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(typeof child === "number" ? String(child) : child);
  }
  return element;
}

/** The element of this page with that id. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as E;
}

export const status = (view: string): HTMLElement => {
  const element = document.querySelector<HTMLElement>(`[data-status="${view}"]`);
  if (!element) throw new Error(`the page has no status of ${view}`);
  return element;
};

/** A failure, for people. */
export function showError(where: HTMLElement, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  where.replaceChildren(h("p", { class: "error" }, message.charAt(0).toUpperCase() + message.slice(1)));
}

export const milliseconds = (ms: number): string => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);

export function bytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} GB`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** The first digits of a digest, with stripes in colours of its bytes for the eye. */
export function digest(sha256: string): HTMLElement {
  const stripes = h("span", { class: "stripes", "aria-hidden": "true" });
  for (let i = 0; i < 12; i += 2) {
    const stripe = h("span");
    const byte = Number.parseInt(sha256.slice(i, i + 2), 16);
    stripe.style.background = `hsl(${Math.round(byte * 1.41)} 48% 52%)`;
    stripes.append(stripe);
  }
  return h("span", { class: "digest", title: sha256 }, stripes, h("code", {}, sha256.slice(0, 12)));
}

/** Hands `text` out as a file. */
export function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copies, and says so on the button. */
export async function copy(text: string, button: HTMLButtonElement): Promise<void> {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The browser does not allow it: select and copy";
  }
  setTimeout(() => (button.textContent = label), 2500);
}

/** Calls `take` with files dropped on `zone`, and with images pasted while `active()`. */
export function accept(zone: HTMLElement, active: () => boolean, take: (files: File[]) => void): void {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) take(files);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (active() && files.length > 0) {
      event.preventDefault();
      take(files);
    }
  });
}
