import start from "./front_end.js";

await start({ module_or_path: new URL("./front_end_bg.wasm", import.meta.url) });
