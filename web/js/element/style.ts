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
  --_radius: var(--clip-search-radius, 0.5rem);
  --_gap: var(--clip-search-gap, 1rem);
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
form, .filters, .progress, .photo, .error { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
.filters, .progress, .photo, .error { margin-block-start: 0.75rem; }
.filters { border: 0; padding: 0; margin-inline: 0; min-inline-size: 0; }
input, select, button {
  font: inherit; color: inherit; background: var(--_background); min-block-size: 2.75rem;
  border: 1px solid var(--_border); border-radius: var(--_radius); padding: 0.4rem 0.75rem; max-inline-size: 100%;
}
input::placeholder { color: var(--_muted); opacity: 1; }
button { cursor: pointer; display: inline-flex; align-items: center; justify-content: center; gap: 0.4rem; }
button:hover { border-color: var(--_accent); }
.submit { background: var(--_accent); border-color: var(--_accent); color: var(--_on-accent); font-weight: 600; }
.icon { inline-size: 2.75rem; padding: 0; }
svg { inline-size: 1.4em; block-size: 1.4em; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linejoin: round; }
.query { flex: 1 1 12rem; min-inline-size: 0; }
.camera { display: none; }
@media (pointer: coarse) { .camera { display: inline-flex; } }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
label { display: inline-flex; align-items: center; gap: 0.4rem; color: var(--_muted); }
label select, label input { color: var(--_text); }
select { max-inline-size: 14rem; }
input[type="number"] { inline-size: 7rem; }
progress { flex: 1 1 8rem; accent-color: var(--_accent); min-inline-size: 4rem; }
.progress span { flex: 0 1 auto; font-variant-numeric: tabular-nums; }
.photo img { inline-size: 4rem; block-size: 4rem; object-fit: cover; border-radius: var(--_radius); }
.status { min-block-size: 1.4em; margin-block: 0.75rem; color: var(--_muted); }
.error { color: var(--_error); }
.error p { margin: 0; }
.results {
  list-style: none; margin: 0; padding: 0; display: grid; gap: var(--_gap);
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--clip-search-card-width, 10rem)), 1fr));
}
.results.old { opacity: 0.75; }
.card {
  display: flex; flex-direction: column; gap: 0.2rem; block-size: 100%; inline-size: 100%; padding: 0; text-align: start;
  color: inherit; text-decoration: none; border: 0; background: none; border-radius: var(--_radius);
  justify-content: flex-start; align-items: stretch;
}
.picture {
  display: block; inline-size: 100%; aspect-ratio: var(--clip-search-image-ratio, 3 / 4); object-fit: cover;
  border-radius: var(--_radius); background: light-dark(#eef0f3, #262a32);
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
.drop {
  position: absolute; inset: 0; z-index: 1; display: grid; place-items: center; padding: 1rem; text-align: center;
  background: var(--_background); border: 3px dashed var(--_accent); border-radius: var(--_radius); opacity: 0.95;
}
@media (prefers-reduced-motion: no-preference) { .results { transition: opacity 0.15s; } }
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
