import { randomBytes } from "node:crypto";

/** The number of the simulated account. Nothing leaves this machine, so any number will do. */
export interface Account {
  readonly id: string;
  readonly region: string;
}

/** An ARN of this account and Region, e.g. `arnOf(account, "lambda", "function:issuer")`. */
export const arnOf = (account: Account, service: string, resource: string): string =>
  `arn:aws:${service}:${account.region}:${account.id}:${resource}`;

/** An ARN of IAM or STS. They have no Region. */
export const globalArnOf = (account: Account, service: string, resource: string): string =>
  `arn:aws:${service}::${account.id}:${resource}`;

/** `length` random letters and digits, like those at the end of names that AWS generates. */
export function randomEnd(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join("");
}
