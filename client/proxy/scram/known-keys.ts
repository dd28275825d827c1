import { createHash } from "node:crypto";
import type { Secret } from "../../../core/secret.ts";
import { type ScramKeys, scramKeys } from "./scram-keys.ts";

/** What the keys are computed from. */
export interface KeySource {
  readonly username: string;
  readonly password: Secret;
  readonly salt: Buffer;
  readonly iterations: number;
}

/** Far more than the logins of one program that are valid at a time. */
const MOST_KNOWN = 64;

/**
 * The keys of the last logins: they take fifteen times as long to compute as the rest of a login.
 * A user's salt stays the same as long as its password.
 */
export class KnownKeys {
  readonly #known = new Map<string, Promise<ScramKeys>>();

  of(source: KeySource): Promise<ScramKeys> {
    const name = nameOf(source);
    const keys =
      this.#known.get(name) ?? scramKeys(source.password, source.salt, source.iterations);
    this.#known.delete(name);
    this.#known.set(name, keys);
    for (const oldest of this.#known.keys())
      if (this.#known.size > MOST_KNOWN) this.#known.delete(oldest);
    return keys;
  }

  get size(): number {
    return this.#known.size;
  }
}

const nameOf = ({ username, password, salt, iterations }: KeySource): string =>
  createHash("sha256")
    .update(JSON.stringify([username, password.reveal(), salt.toString("base64"), iterations]))
    .digest("base64");
