import { type Piece, priceOf } from "./prices.ts";

/** The part of a CloudFormation template that costs money. */
export interface PricedTemplate {
  readonly Resources: Readonly<Record<string, PricedResource>>;
}

interface PricedResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** What templates cost, and what the sum leaves out. */
export interface MonthlyCost {
  /** One entry for equal things, the most expensive first. */
  readonly pieces: readonly Piece[];
  /** What is paid by use, in addition. */
  readonly byUse: readonly string[];
  /** Resource types without a known price, and the number of each. */
  readonly unpriced: ReadonlyMap<string, number>;
}

/** What a piece costs a month, to the cent. */
export const centsOf = ({ quantity, each }: Piece): number => Math.round(quantity * each * 100);

/** Add up what templates hold. A type without a known price is reported, never left out. */
export function monthlyCost(templates: readonly PricedTemplate[]): MonthlyCost {
  const pieces = new Map<string, Piece>();
  const byUse = new Set<string>();
  const unpriced = new Map<string, number>();
  const all = templates.flatMap(({ Resources }) => Object.values(Resources));
  for (const { Type, Properties = {} } of all) {
    const price = priceOf(Type, Properties);
    if (price === undefined) unpriced.set(Type, (unpriced.get(Type) ?? 0) + 1);
    if (price?.use !== undefined) byUse.add(price.use);
    for (const piece of price?.pieces ?? []) {
      const quantity = piece.quantity + (pieces.get(piece.name)?.quantity ?? 0);
      pieces.set(piece.name, { ...piece, quantity });
    }
  }
  const dearestFirst = [...pieces.values()].sort((a, b) => centsOf(b) - centsOf(a));
  return { pieces: dearestFirst, byUse: [...byUse].sort(), unpriced };
}
