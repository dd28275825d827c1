import { createHash } from "node:crypto";
import { NestedStack } from "aws-cdk-lib";
import type { Construct } from "constructs";

/** Never change it: what is in one of them would move to another. */
const STACKS = 4;

/**
 * Nested stacks that share what one stack cannot hold, each by its name: nothing moves from one to
 * another when others come or go. CloudFormation makes a named resource anew before it removes the
 * old one, so one that moves is refused as existing already.
 */
export class NestedStacks {
  readonly #scope: Construct;
  readonly #id: string;
  readonly #made = new Map<number, NestedStack>();

  constructor(scope: Construct, id: string) {
    this.#scope = scope;
    this.#id = id;
  }

  /** The nested stack of a name, made at the first call. */
  of(name: string): NestedStack {
    const number = 1 + (createHash("sha256").update(name).digest().readUInt32BE() % STACKS);
    const known = this.#made.get(number);
    if (known !== undefined) return known;
    const made = new NestedStack(this.#scope, `${this.#id}${number}`);
    this.#made.set(number, made);
    return made;
  }
}
