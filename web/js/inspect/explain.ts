// What the first stage that differs says, and its likely cause.

import type { Run } from "./run.js";
import { type Row, describeStage, isBeforeModel } from "./stages.js";

/** A sentence about the first stage that differs, and its likely cause. */
export function explain(row: Row, a: Run, b: Run): [string, string] {
  const { stage } = row;
  const shapes = [row.a?.shape ?? [], row.b?.shape ?? []];
  const sizes = shapes[0]!.join() !== shapes[1]!.join();
  const [left, right] = shapes.map((shape) => shape.join(" x "));
  const shown = sizes ? ` (${left} and ${right})` : "";
  const sentence = `They part at “${stage}”: ${describeStage(stage, a.kind)} are not the same${shown}.`
    .replace(/the output of (.*) are not/, "the output of $1 is not");
  return [sentence, cause(stage, shapes, a, b)];
}

function cause(stage: string, shapes: number[][], a: Run, b: Run): string {
  const [p, q] = [a.provenance, b.provenance];
  const preprocessing = p && q && p.preprocessing !== q.preprocessing
    ? `Preprocessing is “${p.preprocessing}” on one side and “${q.preprocessing}” on the other.` : "";
  const [s, t] = shapes;
  switch (stage) {
    case "decoded": {
      if (s![0] === t![1] && s![1] === t![0] && s![0] !== s![1]) {
        return preprocessing || "Height and width are exchanged: only one side turns the image upright by its EXIF orientation.";
      }
      if (s!.join() !== t!.join()) return "These are images of different sizes: another file, or a thumbnail of it.";
      const browser = [a, b].filter((run) => run.environment?.decoder === "browser").length;
      if (browser === 1) return "Another decoder: on one side the browser decoded the file, on the other this project did.";
      return preprocessing || "Another decoder (or another version of it), another file, or another way with transparency or CMYK.";
    }
    case "resized":
      return preprocessing || "Another resize: its filter, antialiasing or rounding. Pillow's and torchvision's bicubic differ.";
    case "cropped":
      return preprocessing || "The centre was cut out elsewhere: half pixels are rounded in different directions.";
    case "pixel_values":
      return preprocessing || "Another mean or deviation, or another order of operations when colours become floats.";
    case "tokens":
      return a.input !== b.input
        ? "The texts are not the same."
        : "Another tokenizer, or the text was cleaned in another way (case, white space, Unicode form).";
    default:
  }
  if (p && q && p.weights !== q.weights) {
    return `The weights differ (digests ${p.weights.slice(0, 8)}… and ${q.weights.slice(0, 8)}…), and this is the first stage that ${
      stage === "normalized" ? "shows it" : "a changed tensor takes part in"}.`;
  }
  if (p && q && p.numerics !== q.numerics) {
    return `The versions of the numeric contract differ (${p.numerics} and ${q.numerics}): update the older side.`;
  }
  const inexact = [a, b].find(({ provenance }) => provenance && provenance.device !== "exact");
  if (inexact) {
    const device = inexact.provenance?.device;
    const where = inexact.environment?.gpu ?? (device === "unfused" ? "an engine that fuses nothing" : device);
    return `One side ran on ${where}, which does not promise the same bits.`;
  }
  if (stage === "normalized") return "The vectors are brought to unit length in another way.";
  const inputs = a.trace?.some(({ name }) => isBeforeModel(name) && b.trace?.some((other) => other.name === name)) || a.kind === "text";
  const same = p && q ? "Both name the same weights, so" : "If the weights are the same,";
  return `${same} one side computed this stage differently: its kernel adds in another order or rounds elsewhere.${
    inputs ? "" : " (The stages before it are not in both traces, so the input may differ as well.)"}`;
}
