import type { Time } from "../../../core/time.ts";
import type { Account } from "../account.ts";
import type { Cleanup } from "../cleanup.ts";
import type { Evidence } from "../evidence.ts";
import type { Outcome } from "../outcome.ts";
import type { StackUnderTest } from "../stack-under-test.ts";

/** What the checks need. */
export interface World {
  readonly account: Account;
  readonly time: Time;
  readonly stack: StackUnderTest;
  readonly evidence: Evidence;
  readonly cleanup: Cleanup;
  /** The log group of a CloudTrail trail with the issuer's data events. */
  readonly trailLogGroup?: string | undefined;
}

/** One claim that the documents call not verified, and its check. */
export interface Check {
  readonly id: string;
  /** The documents' claim. */
  readonly documents: string;
  /** The page and heading with the claim. */
  readonly where: string;
  /** What the check does. */
  readonly does: string;
  /** True if it changes the stack: then it runs after the others, alone. */
  readonly last?: true;
  readonly run: (world: World) => Outcome | Promise<Outcome>;
}
