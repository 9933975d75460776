// The page of the tests of <clip-search>: attributes come from the address, what happens is recorded.

import { Catalogue } from "/dist/search.js";
import { Clip } from "/dist/index.js";

window.Catalogue = Catalogue;
window.Clip = Clip;
window.violations = [];
window.events = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
for (const name of ["results", "select", "progress", "error"]) {
  document.addEventListener(`clip-search-${name}`, (event) => {
    const { detail } = event;
    if (name === "select") event.preventDefault();
    const { error } = detail;
    window.events.push({ name, ...detail, ...(error && { error: { kind: error.kind, message: error.message } }) });
  });
}

/** Floats and their bits, which survive the way to the driver. */
window.bits = (scores) => [...new Uint32Array(Float32Array.from(scores).buffer)];

const search = document.createElement("clip-search");
const attributes = { index: "/shop/", model: "/models/second_shape/", ...Object.fromEntries(new URLSearchParams(location.search)) };
if (attributes.lang) document.documentElement.lang = attributes.lang;
delete attributes.lang;
for (const [name, value] of Object.entries(attributes)) search.setAttribute(name, value);
document.querySelector("#place").replaceWith(search);
document.title = "ready";
