/** A quantity of Kubernetes, such as `96Mi`, `10m` or `1e3`. */
const QUANTITY = /^([+-]?(?:\d+|\d+\.\d*|\.\d+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

const POWERS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** How much it is: bytes, or cores. Undefined: it is no quantity. */
export function amountOf(quantity: string): number | undefined {
  const [, number, suffix = ""] = QUANTITY.exec(quantity) ?? [];
  if (number === undefined) return undefined;
  const power = suffix === "" ? 1 : POWERS[suffix];
  return power === undefined ? Number(number + suffix) : Number(number) * power;
}

/** The agent takes 80 to 100 MB; with less it is killed. Unit: bytes. */
export const LEAST_MEMORY = 128 * 2 ** 20;
