import { centsOf, monthlyCost, type PricedTemplate } from "../cost/monthly-cost.ts";

/** Unit: hours. */
const HOURS_OF_MONTH = 730;

/** The cost of a stack for some hours by list prices. Unit: US dollars. */
export function costFor(templates: readonly PricedTemplate[], hours: number): number {
  const { pieces } = monthlyCost(templates);
  const cents = pieces.reduce((sum, piece) => sum + centsOf(piece), 0);
  return ((cents / 100) * hours) / HOURS_OF_MONTH;
}

/** Rounded up to a cent: `$0.12`. */
export const dollars = (amount: number): string => `$${(Math.ceil(amount * 100) / 100).toFixed(2)}`;
