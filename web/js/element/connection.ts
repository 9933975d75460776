// What may be downloaded without being asked for, and when.

interface Connection {
  saveData?: boolean;
  effectiveType?: string;
  /** Mbit/s, as the browser guesses. */
  downlink?: number;
}

/** Mbit/s below which a text tower would take more than ten minutes. */
const SLOW = 1;

/**
 * Whether tens of megabytes may come without being asked for: not where data is saved, nor on lines
 * that the browser takes for 2G, 3G or less than 1 Mbit/s, where they take many minutes. Where a
 * browser tells nothing, they may.
 */
export function isGenerous(): boolean {
  const { connection } = navigator as { connection?: Connection };
  const { saveData, effectiveType, downlink } = connection ?? {};
  return !saveData && !/^(slow-2g|2g|3g)$/.test(effectiveType ?? "") && (downlink ?? SLOW) >= SLOW;
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
