import path from "node:path";
import { defineConfig } from "vite";

const here = (file) => path.join(import.meta.dirname, file);
export default defineConfig({
  root: import.meta.dirname,
  logLevel: "error",
  define: { __VUE_OPTIONS_API__: false, __VUE_PROD_DEVTOOLS__: false, __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false },
  resolve: {
    dedupe: ["react", "vue"],
    alias: {
      "clip-everywhere/react": here("../../react/index.js"),
      "clip-everywhere/vue": here("../../vue/index.js"),
      react: here("node_modules/react"),
    },
  },
  build: { rolldownOptions: { input: { react: here("react.html"), vue: here("vue.html") } }, assetsInlineLimit: 0, emptyOutDir: true },
});
