// What may be downloaded without being asked for, and when.

interface Connection {
  saveData?: boolean;
  effectiveType?: string;
}

/**
 * Whether tens of megabytes may come without being asked for: not where data is saved, nor on lines
 * that the browser takes for 2G or 3G, where they take many minutes. Browsers that tell nothing may.
 */
export function isGenerous(): boolean {
  const { connection } = navigator as { connection?: Connection };
  return !connection?.saveData && !/^(slow-2g|2g|3g)$/.test(connection?.effectiveType ?? "");
}

/** Milliseconds after which idle time is taken for granted. */
const PATIENCE = 1000;

/** Waits until the page has nothing better to do. */
export function idle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === "function") requestIdleCallback(() => resolve(), { timeout: PATIENCE });
    else setTimeout(resolve, 50);
  });
}
