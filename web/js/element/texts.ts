// Texts, numbers and prices in the page's language.

import { ENGLISH, type Labels, say } from "./labels.js";

/** Labels, and how numbers are written. */
export class Texts {
  labels: Labels = ENGLISH;

  constructor(private readonly locale: () => string | undefined) {}

  /** A label with its values. */
  say(name: keyof Labels, values?: Record<string, string | number>): string {
    return say(this.labels[name], values);
  }

  has(name: string): name is keyof Labels {
    return Object.hasOwn(this.labels, name);
  }

  price(price: number, currency: string | undefined): string {
    try {
      if (currency) return this.number(price, { style: "currency", currency });
    } catch {
      // no currency that Intl knows
    }
    return [this.number(price, {}), currency].filter(Boolean).join(" ");
  }

  /** Megabytes, with more digits where the whole is small. */
  size(bytes: number, total: number): string {
    return this.number(bytes / 1e6, { style: "unit", unit: "megabyte", maximumFractionDigits: total < 1e6 ? 2 : total < 1e7 ? 1 : 0 });
  }

  private number(value: number, options: Intl.NumberFormatOptions): string {
    let locale = this.locale();
    try {
      if (locale) Intl.getCanonicalLocales(locale);
    } catch {
      locale = undefined;
    }
    return new Intl.NumberFormat(locale, options).format(value);
  }
}
