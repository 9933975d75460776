// The looks of <clip-search>. Colours follow the page's `color-scheme`; every one can be set.

const CSS = `
:host {
  --_accent: var(--clip-search-accent, light-dark(#1d4ed8, #8ab4ff));
  --_on-accent: var(--clip-search-on-accent, light-dark(#fff, #0b1220));
  --_background: var(--clip-search-background, light-dark(#fff, #16181d));
  --_text: var(--clip-search-text, light-dark(#16181d, #f2f3f5));
  --_muted: var(--clip-search-muted, light-dark(#555b66, #b3b9c4));
  --_border: var(--clip-search-border, light-dark(#767d89, #8b93a1));
  --_error: var(--clip-search-error, light-dark(#b3161b, #ff9a94));
  --_shade: light-dark(#eef0f3, #262a32);
  --_line: light-dark(#dcdfe4, #383d47);
  --_radius: var(--clip-search-radius, 0.5rem);
  --_gap: var(--clip-search-gap, 1.5rem 1rem);
  display: block;
  position: relative;
  color: var(--_text);
  background: var(--_background);
  font-family: var(--clip-search-font, inherit);
  line-height: 1.4;
  text-align: start;
}
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
.sr {
  position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; border: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.box { position: relative; }
form, .tools, .photo, .error, .line, .suggestions, .chips { display: flex; gap: 0.5rem; align-items: center; }
.photo, .error, .suggestions, .chips { flex-wrap: wrap; margin-block-start: 0.5rem; }
.toolbar { margin-block-start: 0.75rem; }
input, select, button, summary {
  font: inherit; color: inherit; background: var(--_background); min-block-size: 2.75rem;
  border: 1px solid var(--_border); border-radius: var(--_radius); padding: 0.4rem 0.75rem; max-inline-size: 100%;
}
input::placeholder { color: var(--_muted); opacity: 1; text-overflow: ellipsis; }
button { cursor: pointer; display: inline-flex; align-items: center; justify-content: center; gap: 0.4rem; }
button:hover, summary:hover { border-color: var(--_accent); }
button:disabled { opacity: 0.6; cursor: default; }
.submit { background: var(--_accent); border-color: var(--_accent); color: var(--_on-accent); font-weight: 600; flex: none; }
.form .submit svg { display: none; }
.icon { inline-size: 2.75rem; padding: 0; flex: none; }
svg {
  inline-size: 1.4em; block-size: 1.4em; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linejoin: round;
  stroke-linecap: round; flex: none;
}
.query { flex: 1 1 0; min-inline-size: 0; }
.camera { display: none; }
@media (pointer: coarse) { .camera { display: inline-flex; } }
.narrow .form .submit svg { display: block; }
.narrow .form .submit { inline-size: 2.75rem; padding: 0; }
.narrow .form .submit span {
  position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
.recent {
  position: absolute; inset-inline: 0; inset-block-start: calc(100% + 0.25rem); z-index: 3; padding: 0.5rem;
  background: var(--_background); border: 1px solid var(--_border); border-radius: var(--_radius);
  box-shadow: 0 0.5rem 1.5rem rgb(0 0 0 / 0.2);
}
.recent-head, .recent li, .sheet-head, .sheet-foot { display: flex; align-items: center; justify-content: space-between; gap: 0.5rem; }
.recent-name { color: var(--_muted); padding-inline: 0.5rem; }
.recent ul, .chips { list-style: none; margin-block-end: 0; padding: 0; }
.recent ul { margin: 0; }
.again { flex: 1; justify-content: flex-start; text-align: start; min-inline-size: 0; }
.again span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.again svg { color: var(--_muted); }
.again, .recent .icon, .clear, .sheet-head .icon { border-color: transparent; background: none; }
.clear { color: var(--_accent); }
.filters { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.facet { position: relative; }
summary { cursor: pointer; display: flex; align-items: center; gap: 0.5rem; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::after {
  content: ""; inline-size: 0.45em; block-size: 0.45em; border: solid currentColor; border-width: 0 1.7px 1.7px 0;
  rotate: 45deg; translate: 0 -0.15em; margin-inline-start: auto;
}
details[open] > summary::after { rotate: 225deg; translate: 0 0.15em; }
.facets .values {
  position: absolute; z-index: 2; inset-inline-start: 0; inset-block-start: calc(100% + 0.25rem); min-inline-size: 16rem;
  max-block-size: 22rem; overflow: auto; padding: 0.5rem; background: var(--_background);
  border: 1px solid var(--_border); border-radius: var(--_radius); box-shadow: 0 0.5rem 1.5rem rgb(0 0 0 / 0.2);
}
.choice {
  display: flex; align-items: center; gap: 0.6rem; padding: 0.25rem 0.5rem; min-block-size: 2.75rem; cursor: pointer;
  border-radius: var(--_radius);
}
.choice:hover { background: var(--_shade); }
.choice > span { overflow-wrap: anywhere; min-inline-size: 0; }
.choice .count { margin-inline-start: auto; color: var(--_muted); font-variant-numeric: tabular-nums; }
.facets .stock { border: 1px solid var(--_border); }
input[type="checkbox"] { min-block-size: 0; inline-size: 1.2rem; block-size: 1.2rem; margin: 0; accent-color: var(--_accent); flex: none; }
.prices { display: flex; align-items: center; gap: 0.5rem; }
input[type="number"] { inline-size: 7rem; flex: 1 1 0; min-inline-size: 0; }
.sort-field { margin-inline-start: auto; min-inline-size: 0; }
select { max-inline-size: 100%; min-inline-size: 0; text-overflow: ellipsis; }
.filters-button { flex: none; }
.chip { min-block-size: 2.25rem; padding-block: 0.2rem; font-size: 0.9em; background: var(--_shade); border-color: transparent; max-inline-size: 100%; }
.chip span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.chip svg { inline-size: 1em; block-size: 1em; }
.chips li { min-inline-size: 0; }
.sheet {
  inline-size: 100%; max-inline-size: 100%; max-block-size: 85vh; margin: auto 0 0; padding: 0; border: 0; color: var(--_text);
  background: var(--_background); border-radius: calc(2 * var(--_radius)) calc(2 * var(--_radius)) 0 0;
}
.sheet[open] { display: flex; flex-direction: column; }
.sheet::backdrop { background: rgb(0 0 0 / 0.5); }
.sheet-head, .sheet-foot { padding: 0.5rem 1rem; flex: none; }
.sheet-foot { border-block-start: 1px solid var(--_line); padding-block: 0.75rem; }
.sheet-foot .submit { flex: 1; }
.sheet-head { border-block-end: 1px solid var(--_line); }
.sheet h2 { font-size: 1.1rem; margin: 0; }
.sheet-body { overflow: auto; padding: 0 1rem; overscroll-behavior: contain; }
.sheet .filters { flex-direction: column; flex-wrap: nowrap; gap: 0; }
.sheet .facet, .sheet .stock { border-block-end: 1px solid var(--_line); border-radius: 0; }
.sheet summary { border: 0; padding: 0.75rem 0; font-weight: 600; }
.sheet .values { padding-block-end: 0.75rem; }
.sheet .stock { padding: 0.75rem 0; }
.downloads { font-size: 0.9em; color: var(--_muted); }
/* What lies on the device is there before it is seen. */
.progress {
  display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0.15rem 0.5rem; align-items: center; margin-block-start: 0.5rem;
  animation: appear 0s 0.15s both;
}
@keyframes appear { from { visibility: hidden; } }
progress { accent-color: var(--_accent); inline-size: 100%; block-size: 0.4rem; }
.progress-text { align-self: end; font-variant-numeric: tabular-nums; }
.cancel { grid-area: 1 / 2 / span 2; min-block-size: 2.25rem; padding-block: 0.2rem; }
.photo img { inline-size: 3.5rem; block-size: 3.5rem; object-fit: cover; border-radius: var(--_radius); }
.photo span { flex: 1; min-inline-size: 0; }
.line { min-block-size: 2.2rem; flex-wrap: wrap; }
.status { margin: 0.4rem 0; color: var(--_muted); }
.suggestions { margin-block: 0 0.75rem; }
.suggestion { min-block-size: 2.25rem; padding-block: 0.2rem; }
.error { color: var(--_error); margin-block-end: 0.75rem; }
.error p { margin: 0; }
.results, .skeletons {
  list-style: none; margin: 0; padding: 0; display: grid; gap: var(--_gap);
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--clip-search-card-width, 10.5rem)), 1fr));
}
.narrow { --_gap: var(--clip-search-gap, 1rem 0.75rem); }
.narrow :is(.results, .skeletons) { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.results.old { opacity: 0.75; }
.item { position: relative; min-inline-size: 0; }
.skeleton { display: grid; gap: 0.4rem; }
.skeleton span { block-size: 0.9em; border-radius: var(--_radius); background: var(--_shade); }
.skeleton span:first-child { block-size: auto; aspect-ratio: var(--clip-search-image-ratio, 3 / 4); }
.skeleton span:last-child { inline-size: 40%; }
.similar {
  position: absolute; inset-block-start: 0.35rem; inset-inline-end: 0.35rem; inline-size: 2.5rem; min-block-size: 2.5rem;
  padding: 0; border-radius: 50%; border-color: transparent; background: var(--_background);
  box-shadow: 0 1px 4px rgb(0 0 0 / 0.25);
}
@media (hover: hover) {
  .similar { opacity: 0; }
  .item:hover .similar, .item:focus-within .similar { opacity: 1; }
}
mark { background: none; color: inherit; text-decoration: underline 2px var(--_accent); text-underline-offset: 0.2em; }
.card {
  display: flex; flex-direction: column; gap: 0.2rem; block-size: 100%; inline-size: 100%; padding: 0; text-align: start;
  color: inherit; text-decoration: none; border: 0; background: none; border-radius: var(--_radius);
  justify-content: flex-start; align-items: stretch;
}
.picture {
  display: block; inline-size: 100%; aspect-ratio: var(--clip-search-image-ratio, 3 / 4); object-fit: cover;
  border-radius: var(--_radius); background: var(--_shade);
}
.title {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
  overflow-wrap: anywhere; font-weight: 600;
}
a.card:hover .title { text-decoration: underline; }
.brand, .availability {
  color: var(--_muted); font-size: 0.9em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.price { font-variant-numeric: tabular-nums; }
.pages { display: flex; flex-direction: column; align-items: center; gap: 0.5rem; margin-block-start: 1.5rem; }
.shown { margin: 0; color: var(--_muted); }
.more { min-inline-size: min(100%, 16rem); }
.more[aria-disabled="true"] { opacity: 0.6; cursor: progress; }
.drop {
  position: absolute; inset: 0; z-index: 4; display: grid; place-items: center; padding: 1rem; text-align: center;
  background: var(--_background); border: 3px dashed var(--_accent); border-radius: var(--_radius); opacity: 0.95;
}
@media (prefers-reduced-motion: no-preference) {
  .results, .similar { transition: opacity 0.15s; }
  .skeleton span { animation: pulse 1.2s ease-in-out infinite alternate; }
}
@keyframes pulse { to { opacity: 0.5; } }
@media (forced-colors: active) { .drop { border-color: Highlight; } }
`;

let made: CSSStyleSheet | undefined;

/** One style sheet for all elements of the page. */
export function sheet(): CSSStyleSheet {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(CSS);
  }
  return made;
}
