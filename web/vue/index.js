// <clip-search> for Vue 3: registers it. Vue sets its properties and listens to its events by itself.

export * from "../dist/search.js";

/** For `compilerOptions.isCustomElement`. */
export const isCustomElement = (tag) => tag === "clip-search";
