// The page of the tests: puts what the drivers call on `window`.

import { Clip, ClipError } from "/dist/index.js";
import { digests, vectors } from "./digests.mjs";

const read = async (name) => (await fetch(`/corpus/${name}`)).arrayBuffer();

window.Clip = Clip;
window.ClipError = ClipError;
window.digests = (options) => digests(Clip, options, read);
window.vectors = (options) => vectors(Clip, options, read);
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
document.title = "ready";
