// node --import ./dawn.mjs SCRIPT: WebGPU in Node, and in its workers, by Dawn, which is Chromium's.

import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
// Newer versions of Node have a navigator, which cannot be assigned to.
Object.defineProperty(globalThis, "navigator", { value: { gpu: create([]) }, configurable: true });
