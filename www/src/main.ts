import "./style.css";
import "clip-everywhere/search";

import { classifyView } from "./classify.js";
import { compareView } from "./compare.js";
import { inspectView } from "./inspect.js";
import { matrixView } from "./matrix.js";
import { rankingsView } from "./rankings.js";
import { reportView } from "./report.js";
import { searchView } from "./search.js";

const views = [...document.querySelectorAll<HTMLElement>("[data-view]")];
const links = [...document.querySelectorAll<HTMLAnchorElement>("nav a")];

/** Shows the tool that the address names. */
function show(focus: boolean): void {
  const name = views.find((view) => `#${view.dataset.view}` === location.hash)?.dataset.view ?? "search";
  for (const view of views) view.hidden = view.dataset.view !== name;
  for (const link of links) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = document.getElementById(`title-${name}`);
  document.title = `${title?.textContent ?? ""} · The same CLIP everywhere`;
  if (focus) {
    // Where a new page would start.
    window.scrollTo(0, 0);
    title?.focus({ preventScroll: true });
  }
}

const inspect = inspectView();
const compare = compareView(() => inspect.last());
inspect.onCompare((run) => {
  compare.set("a", run, "the inspector");
  location.hash = "#compare";
});
searchView((file, name) => {
  location.hash = "#inspect";
  void inspect.image(file, name);
});
matrixView();
classifyView();
rankingsView();
reportView();

document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main")?.focus();
});
window.addEventListener("hashchange", () => show(true));
// An image dropped beside a target would replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());
show(false);
