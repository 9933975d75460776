// Digests of every stage, computed by the package as its users call it. Runs in Node and in pages.

/**
 * Loads a model and traces pictures (read with `read`) and texts. Gives its `info` and, by input,
 * the stages as `[name, first 16 digits]`, or `error KIND`.
 */
export async function digests(Clip, { model, kernel, threads, pictures, texts }, read) {
  const warnings = [];
  // For whoever finds a page that does not answer.
  const at = (what) => (globalThis.at = `${what} of ${model}`);
  at("the load");
  const clip = await Clip.load({
    model, kernel, threads, cache: false, tokens: "whole", onWarning: (w) => warnings.push(w.message),
  });
  const got = {};
  const trace = async (name, input) => {
    at(name);
    try {
      const { stages, exact } = await clip.trace(input);
      got[name] = exact ? stages.map((stage) => [stage.name, stage.sha256.slice(0, 16)]) : "not exact";
    } catch (error) {
      got[name] = `error ${error.kind ?? error}`;
    }
  };
  for (const name of pictures) await trace(name, await read(name));
  for (const text of texts) await trace(`text-${text}`, text);
  const { info } = clip;
  at("the end");
  clip.dispose();
  return { info, got, warnings };
}

/**
 * Embeds pictures and texts under `precision`. Gives by input the normalised vector as numbers, or
 * `error KIND`; and how many results said that they are not exact.
 */
export async function vectors(Clip, { model, kernel, precision, threads, pictures, texts }, read) {
  globalThis.at = `the load of ${model}`;
  const clip = await Clip.load({ model, kernel, precision, threads, cache: false, tokens: "whole" });
  const got = {};
  let inexact = 0;
  const embed = async (name, work) => {
    globalThis.at = `${name} of ${model}`;
    try {
      const { normalized, exact, provenance } = await work();
      got[name] = [...normalized];
      inexact += Number(!exact && provenance.device === "unfused");
    } catch (error) {
      got[name] = `error ${error.kind ?? error}`;
    }
  };
  for (const name of pictures) await embed(name, async () => clip.embedImage(await read(name)));
  for (const text of texts) await embed(`text-${text}`, () => clip.embedText(text));
  const { info } = clip;
  clip.dispose();
  return { info, got, inexact };
}
