// Options with few possible values, as JavaScript may give them.

import { ClipError } from "./errors.js";

/** `value`, if it is one of `known`. */
export function oneOf<T extends string>(option: string, value: unknown, known: readonly T[]): T {
  if (known.includes(value as T)) return value as T;
  const [last, ...rest] = known.map((name) => `"${name}"`).reverse();
  const list = [rest.reverse().join(", "), last].filter(Boolean).join(" or ");
  throw new ClipError("input", `there is no \`${option}\` ${shown(value)}: give ${list}`);
}

function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
