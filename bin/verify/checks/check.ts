import type { Time } from "../../../core/time.ts";
import type { Account } from "../account.ts";
import type { Cleanup } from "../cleanup.ts";
import type { Evidence } from "../evidence.ts";
import type { Outcome } from "../outcome.ts";
import type { StackUnderTest } from "../stack-under-test.ts";

/** What the checks are made with. */
export interface World {
  readonly account: Account;
  readonly time: Time;
  readonly stack: StackUnderTest;
  readonly evidence: Evidence;
  readonly cleanup: Cleanup;
  /** A log group that a CloudTrail trail with the issuer's data events writes to. */
  readonly trailLogGroup?: string | undefined;
}

/** One line of what the documents say is not verified, and how it is looked at. */
export interface Check {
  readonly id: string;
  /** The documents' claim. */
  readonly documents: string;
  /** Where they make it: a page, and its heading. */
  readonly where: string;
  /** What is done to see it. */
  readonly does: string;
  /** It changes the stack: it comes after the others, alone. */
  readonly last?: true;
  readonly run: (world: World) => Outcome | Promise<Outcome>;
}
