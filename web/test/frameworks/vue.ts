// Vue 3 with a template, compiled in the page's build by `vue/dist/vue.esm-bundler.js`.

import { createApp, ref } from "vue/dist/vue.esm-bundler.js";
import { type ResultsDetail, isCustomElement } from "clip-everywhere/vue";
import type { GlobalComponents } from "vue";

// The tag is known to templates.
export type Known = GlobalComponents["clip-search"];

const seen: unknown[] = ((window as unknown as { seen: unknown[] }).seen = []);
const app = createApp({
  setup() {
    const [limit, query, there] = [ref(5), ref(""), ref(true)];
    return {
      limit, query, there, labels: { search: "Suchen" }, filters: { availability: ["in_stock"] },
      results: ({ detail }: CustomEvent<ResultsDetail>) => seen.push([limit.value, detail.query, detail.hits.length]),
    };
  },
  template: `
    <button @click="limit = 7">seven</button>
    <button @click="there = !there">toggle</button>
    <button @click="query = 'blue'">blue</button>
    <clip-search v-if="there" id="component" class="shop" index="/shop/" model="/model/" mode="words" :limit="limit"
      :recent="false" :query="query" :labels="labels" :filters="filters" @clip-search-results="results" />
  `,
});
app.config.compilerOptions.isCustomElement = isCustomElement;
app.mount("#app");
document.title = "ready";
