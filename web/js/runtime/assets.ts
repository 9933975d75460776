// Where the package's own files lie: its workers and its wasm modules.

import { ClipError } from "./errors.js";
import { address, here, isNode } from "./platform.js";

/** Of the whole package. */
export interface Configuration {
  /**
   * Address of a folder that holds a copy of the package's `dist`, relative to the page (in Node also a
   * path). For bundlers that do not follow `new URL("./file", import.meta.url)`, such as esbuild, where
   * the files do not lie beside the bundle. Default: where the bundler put them, else beside the script.
   */
  baseUrl?: string | URL | undefined;
}

let configured: Configuration = {};

/** Sets what calls use that do not say otherwise. Right after the imports: `<clip-search>` starts by itself. */
export function configure(configuration: Configuration): void {
  configured = { ...configuration };
}

/**
 * Address of a file. `beside` names it as bundlers understand it: `() => new URL("./file", import.meta.url)`.
 * They copy it as it is, so that a worker is one file that needs nothing else, wherever it ends up.
 */
export type Find = (file: string, beside: () => URL) => string;

/** How files are found, with the `baseUrl` of a call. */
export async function finder(baseUrl: string | URL | undefined): Promise<Find> {
  // The script that imports this has had its turn to `configure` by then.
  await undefined;
  const folder = baseUrl ?? configured.baseUrl;
  if (folder === undefined) return (file, beside) => found(file, beside);
  const base = await address(folder, "`baseUrl` is the address of a folder with the files of this package's dist");
  return (file) => new URL(file, base.endsWith("/") ? base : `${base}/`).href;
}

function found(file: string, beside: () => URL): string {
  try {
    const { href } = beside();
    // Next's is no `URL`, and relative to the page.
    if (!isNode) return new URL(href, here()).href;
    // On Next's server that means nothing. A variable: bundlers take the whole expression for a file.
    const own = import.meta.url;
    return href.startsWith("file:") ? href : new URL(file, own).href;
  } catch (error) {
    throw new ClipError(
      "environment",
      `this bundle does not tell where ${file} lies (it has no import.meta.url): copy the files of ` +
        "clip-everywhere/dist to your site, and give that folder as `baseUrl`",
      { cause: error },
    );
  }
}
