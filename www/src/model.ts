// The one model that all tools but the search share; loaded when it is first needed.

import { Inspector } from "clip-everywhere/inspect";

import { bytes, h, showError } from "./dom.js";

export const MODEL = new URL("./model/", document.baseURI).href;

let inspector: Promise<Inspector> | undefined;
let onGpu = false;
const warnings: string[] = [];

/** What could not be done without stopping the model. */
export const modelWarnings = (): readonly string[] => warnings;

/** Whether images are to be computed on the GPU from now on: the model is loaded anew, from this device. */
export function useGpu(use: boolean): void {
  if (use === onGpu) return;
  onGpu = use;
  void inspector?.then((loaded) => loaded.dispose(), () => undefined);
  inspector = undefined;
  warnings.length = 0;
}

/** The model; while it loads, `where` shows how far it is. */
export async function model(where: HTMLElement): Promise<Inspector> {
  const controller = new AbortController();
  inspector ??= load(where, controller);
  try {
    const loaded = await inspector;
    where.replaceChildren();
    return loaded;
  } catch (error) {
    inspector = undefined;
    throw error;
  }
}

function load(where: HTMLElement, controller: AbortController): Promise<Inspector> {
  const text = h("span", {}, "Loading the model …");
  const bar = h("progress", { "aria-label": "Download of the model", max: 1 });
  where.replaceChildren(
    h("p", { class: "loading" }, text, bar, h("button", { type: "button", click: () => controller.abort() }, "Cancel")),
  );
  return Inspector.open({
    model: MODEL,
    ...(onGpu ? { gpu: "auto", precision: "auto" } : {}),
    signal: controller.signal,
    onProgress: ({ loaded, total, network }) => {
      bar.max = total;
      bar.value = loaded;
      text.textContent = network > 0
        ? `Downloading the model, once: ${bytes(loaded)} of ${bytes(total)}`
        : `Loading the model from this device: ${bytes(loaded)} of ${bytes(total)}`;
    },
    onWarning: (warning) => warnings.push(warning.message),
  });
}

/** Runs `work` with the model; failures are shown in `where`. */
export async function withModel(where: HTMLElement, work: (inspector: Inspector) => Promise<void>): Promise<void> {
  try {
    await work(await model(where));
  } catch (error) {
    showError(where, error);
  }
}
