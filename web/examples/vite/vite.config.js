import { defineConfig } from "vite";

export default defineConfig({
  // Scripts of another origin (a CDN): its address. Or "./", for any folder.
  base: process.env.CDN ?? "/",
  // The package's workers and wasm modules lie beside its scripts; dev servers before Vite 8 must not move these.
  optimizeDeps: { exclude: ["clip-everywhere"] },
});
