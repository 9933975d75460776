// The stages of two traces beside each other.

import type { Stage } from "../clip/protocol.js";
import type { Run } from "./run.js";

/** What of a stage is the same on both sides. */
export type State = "same" | "differs" | "only-a" | "only-b";

/** A stage that at least one side has. */
export interface Row {
  stage: string;
  a: Stage | undefined;
  b: Stage | undefined;
  state: State;
}

/** Stages of both by name, in the order of the longer trace. */
export function align(a: Stage[], b: Stage[]): Row[] {
  const [long, short] = a.length >= b.length ? [a, b] : [b, a];
  const names = long.map((stage) => stage.name);
  for (const [index, { name }] of short.entries()) {
    if (names.includes(name)) continue;
    // After the stage that comes before it on its own side.
    const before = short[index - 1]?.name;
    names.splice(before === undefined ? 0 : names.indexOf(before) + 1, 0, name);
  }
  return names.map((stage) => {
    const [left, right] = [a, b].map((side) => side.find(({ name }) => name === stage));
    const state: State = !left ? "only-b" : !right ? "only-a" : equal(left, right) ? "same" : "differs";
    return { stage, a: left, b: right, state };
  });
}

/** Goldens and short forms cut digests: what both have must agree. */
function equal(a: Stage, b: Stage): boolean {
  const digits = Math.min(a.sha256.length, b.sha256.length);
  return a.sha256.slice(0, digits) === b.sha256.slice(0, digits) && a.shape.join() === b.shape.join();
}

const BEFORE_MODEL = ["decoded", "resized", "cropped", "pixel_values"];

/** Whether a stage of an image comes before the model. */
export const isBeforeModel = (stage: string) => BEFORE_MODEL.includes(stage);

/** What to call a stage in a sentence. */
export function describeStage(stage: string, kind: Run["kind"]): string {
  const block = /^block\.(\d+)$/.exec(stage)?.[1];
  if (block !== undefined) return `the output of transformer block ${block}`;
  const names: Record<string, string> = {
    decoded: "the decoded images",
    resized: "the resized images",
    cropped: "the cropped images",
    pixel_values: "the normalised pixel values",
    tokens: "the token ids",
    embeddings: kind === "text" ? "the sums of token and position embeddings" : "the embedded patches",
    embedding: "the projected vectors",
    normalized: "the vectors of unit length",
  };
  return names[stage] ?? `the values of ${stage}`;
}
