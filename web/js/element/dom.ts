// Making elements.

/** Characters of a text that are shown; CSS shows fewer. */
const SHOWN = 300;

type Attributes = Record<string, string | boolean>;

/** An element. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** An element that can be styled from outside (`part`) and in here (`class`). */
export const part = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  attributes: Attributes = {},
  ...children: (Node | string)[]
) => make(tag, { part: name, class: name, ...attributes }, ...children);

/** An icon of these lines; its button has a name for those who do not see it. */
export function icon(path: string): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** Icons, as lines: an image. */
export const IMAGE = "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01";
/** A camera. */
export const CAMERA = "M4 8h4l2-3h4l2 3h4v11H4zM12 16.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5z";
/** A cross. */
export const CROSS = "M6 6l12 12M18 6L6 18";

/** A magnifying glass. */
export const GLASS = "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.2 15.2L20 20";
/** Sliders. */
export const SLIDERS = "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z";
/** Two frames, one like the other. */
export const ALIKE = "M4 4h10v10H4zM18 9h2v11H9v-2";
/** A clock. */
export const CLOCK = "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 8v4l3 2";

/** An address that a link or image may have: http(s), relative ones against the catalogue's folder. */
export function safe(address: string | undefined, base: string): string | undefined {
  if (!address || !URL.canParse(address, base)) return undefined;
  const url = new URL(address, base);
  return url.protocol === "http:" || url.protocol === "https:" ? url.href : undefined;
}

/** A text of the shop, cut. */
export const short = (text: string) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
