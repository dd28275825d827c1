import { createHash } from "node:crypto";
import { NestedStack } from "aws-cdk-lib";
import type { Construct } from "constructs";

/** Never change it: resources would move from one nested stack to another. */
const STACKS = 4;

/**
 * Nested stacks for resources that do not fit into one stack. A resource's name decides its nested
 * stack, so that it never moves. CloudFormation would refuse a move: it makes the new resource before
 * it removes the old one, and the name exists already.
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
