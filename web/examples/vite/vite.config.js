import { defineConfig } from "vite";

export default defineConfig({
  // Its workers and wasm files lie beside its scripts; the dev server must not move these.
  optimizeDeps: { exclude: ["clip-everywhere"] },
});
