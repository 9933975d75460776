// The page of a worker that uses the package.
const worker = new Worker(new URL("./own-worker.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => (document.querySelector("output").value = data);
worker.onerror = (event) => (document.querySelector("output").value = `error: ${event.message}`);
