// What is expected of each input, and the first stage at which a result parts from it.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { build } from "rolldown";

export const web = path.resolve(import.meta.dirname, "..");
export const root = path.resolve(web, "..");

/** A module of js/, which dist does not show on its own. */
export async function source(name) {
  const { output } = await build({ input: path.join(web, "js", name), write: false });
  return import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);
}

/** Inputs and their stages for each model: the native program's on this machine, and the goldens. */
export async function expectations(folder) {
  const native = JSON.parse(await readFile(path.join(folder, "models/expected.json"), "utf8"));
  const { inputs: golden } = JSON.parse(await readFile(path.join(root, "tests/goldens/parity.json"), "utf8"));
  const of = (model) => Object.fromEntries(
    Object.entries(golden)
      .filter(([name]) => name.startsWith(`${model}/`) && !/\/(pixels|tokens)-\d+$/.test(name))
      .map(([name, stages]) => [name.slice(model.length + 1), stages]),
  );
  const parity = of("second_shape");
  const second = { ...parity };
  const texts = new Set(native.texts);
  for (const [name, stages] of Object.entries(native.stages)) {
    const short = stages.map((stage) => [stage.name, stage.sha256.slice(0, 16)]);
    second[texts.has(name) ? `text-${name}` : name] = short;
  }
  for (const [name, kind] of Object.entries(native.errors)) second[name] = `error ${kind}`;
  return { second_shape: second, vit_b_32: of("vit_b_32"), tiny: of("tiny"), parity, native: native.paths };
}

/** Lines that say where `got` differs from `expected`, naming the first stage that does. */
export function differences(expected, got) {
  const lines = [];
  for (const [name, found] of Object.entries(got)) {
    const known = expected[name];
    if (known === undefined) lines.push(`${name}: nothing is known about it`);
    // What only the browser decodes is said not to be exact.
    else if (known === "error image.unsupported" && found === "not exact") continue;
    else if (typeof known === "string" || typeof found === "string") {
      if (known !== found) lines.push(`${name}: ${JSON.stringify(found).slice(0, 80)}, expected ${JSON.stringify(known).slice(0, 80)}`);
    } else {
      const index = known.findIndex(([stage, digest], i) => found[i]?.[0] !== stage || found[i]?.[1] !== digest);
      if (index >= 0) lines.push(`${name}: first differs at ${known[index][0]}`);
      else if (found.length !== known.length) lines.push(`${name}: ${found.length} stages, not ${known.length}`);
    }
  }
  return lines;
}
