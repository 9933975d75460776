// An embedding as bars, with the same in words and numbers.

import { h, svg } from "./dom.js";

const HEIGHT = 120;

export function chart(values: Float32Array): HTMLElement {
  const largest = values.reduce((max, x) => Math.max(max, Math.abs(x)), 0) || 1;
  const bars = Array.from(values, (x, i) => {
    const length = (Math.abs(x) / largest) * (HEIGHT / 2 - 2);
    const top = x >= 0 ? HEIGHT / 2 - length : HEIGHT / 2;
    return `M${i + 0.5} ${top.toFixed(1)}v${length.toFixed(1)}`;
  });
  const part = (sign: number) => bars.filter((_, i) => Math.sign(values[i] ?? 0) === sign).join("");
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0));
  const say = (i: number) => `${(values[i] ?? 0).toFixed(4)} at ${i}`;
  const length = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  const summary = `${values.length} values of length ${length.toFixed(4)}; the largest are ${order.slice(0, 3).map(say).join(", ")}.`;
  return h("div", { class: "chart" },
    svg("svg", { viewBox: `0 0 ${values.length} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `Bar chart: ${summary}` },
      svg("path", { class: "axis", d: `M0 ${HEIGHT / 2}h${values.length}` }),
      svg("path", { class: "up", d: part(1) }),
      svg("path", { class: "down", d: part(-1) }),
    ),
    h("p", { class: "fine" }, summary),
    h("details", {},
      h("summary", {}, "All values"),
      h("div", { class: "values", tabindex: 0, role: "region", "aria-label": "All values" }, Array.from(values, (x) => x.toPrecision(7)).join(", ")),
    ),
  );
}
