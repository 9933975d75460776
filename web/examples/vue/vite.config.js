import vue from "@vitejs/plugin-vue";
import { isCustomElement } from "clip-everywhere/vue";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [vue({ template: { compilerOptions: { isCustomElement } } })],
  optimizeDeps: { exclude: ["clip-everywhere"] },
});
