// Zero-shot classification, as HF's pipeline `zero-shot-image-classification`.

import { ClipError } from "../runtime/errors.js";

/** What `classify` says of one label. */
export interface Classification {
  label: string;
  /** Its probability among the labels given: softmax over `logitScale * cosine`. */
  score: number;
}

/** What a label is put into; as HF's pipeline has it. */
export const TEMPLATE = "This is a photo of {}.";

/** The texts that stand for labels. */
export function prompts(labels: string[], template: string): string[] {
  const usable = Array.isArray(labels) && labels.every((label) => typeof label === "string" && label.trim() !== "");
  if (!usable || labels.length === 0) throw new ClipError("input", "classify takes an array of labels, none of them empty");
  if (typeof template !== "string" || template.split("{}").length !== 2) {
    throw new ClipError("input", "the template must hold {} once, where the label goes");
  }
  // Not `replace`, for which `$&` in a label means something.
  return labels.map((label) => template.split("{}").join(label));
}

/** Labels with their probabilities, the most probable first. */
export function ranked(
  image: Float32Array, texts: Float32Array[], labels: string[], logitScale: number,
): Classification[] {
  const logits = texts.map((text) => logitScale * text.reduce((sum, x, i) => sum + x * image[i]!, 0));
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return labels
    .map((label, i) => ({ label, score: powers[i]! / sum }))
    .sort((a, b) => b.score - a.score);
}
