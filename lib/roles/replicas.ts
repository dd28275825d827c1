import { Annotations } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { ParsedRole } from "../../config/config.ts";

/** Limits of a dynamic role. */
export type LeaseLimits = Pick<ParsedRole, "maxLeases" | "maxLeasesPerConsumer">;

const WHY =
  "during a deployment, and when one lease follows another, a replica has two, and a replica without a lease does not start";

/** Warns of a role with room for fewer than twice as many leases as its consumers have replicas. */
export class Replicas {
  readonly #scope: Construct;
  readonly #role: string;
  readonly #limits: LeaseLimits;
  readonly #counts = new Map<string, number>();

  constructor(scope: Construct, role: string, limits: LeaseLimits) {
    this.#scope = scope;
    this.#role = role;
    this.#limits = limits;
  }

  /** @param count at least 1. */
  add(consumer: string, count: number): void {
    this.#counts.set(consumer, count);
    const { maxLeases, maxLeasesPerConsumer } = this.#limits;
    const room = Math.min(maxLeases, maxLeasesPerConsumer);
    const all = [...this.#counts.values()].reduce((sum, each) => sum + each, 0);
    if (room < 2 * count)
      this.#warn(
        `${this.#role} has room for ${room} leases of ${consumer}, which has ${count} replicas; raise maxLeases and maxLeasesPerConsumer to ${2 * count} at least: ${WHY}`,
      );
    else if (maxLeases < 2 * all)
      this.#warn(
        `${this.#role} has room for ${maxLeases} leases, and ${[...this.#counts.keys()].join(", ")} have ${all} replicas; raise maxLeases to ${2 * all} at least: ${WHY}`,
      );
  }

  #warn(message: string): void {
    Annotations.of(this.#scope).addWarningV2("mayfly:replicas", message);
  }
}
