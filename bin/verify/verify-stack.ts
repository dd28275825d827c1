import type { Time } from "../../core/time.ts";
import type { Account } from "./account.ts";
import type { Check, World } from "./checks/check.ts";
import type { Cleanup } from "./cleanup.ts";
import { collectEvidence } from "./evidence.ts";
import { type Mask, makeMask } from "./mask.ts";
import { type Result, runChecks } from "./run-checks.ts";
import type { StackUnderTest } from "./stack-under-test.ts";

/** What a verification needs. */
export interface Verification {
  readonly checks: readonly Check[];
  readonly account: Account;
  readonly time: Time;
  readonly stack: StackUnderTest;
  readonly cleanup: Cleanup;
  readonly trailLogGroup?: string | undefined;
  readonly newKey: () => string;
  readonly signal: AbortSignal;
  readonly onResult: (result: Result) => void;
}

/** The results, and the mask with the stack's names. */
export interface Verified {
  readonly results: readonly Result[];
  readonly mask: Mask;
}

/** Run every check. Results contain no account, host or resource id. */
export async function verifyStack(verification: Verification): Promise<Verified> {
  const { checks, time, stack, cleanup, trailLogGroup, newKey, signal } = verification;
  const stoppable = stopAt(signal, { account: verification.account, time });
  const evidence = collectEvidence({ ...stoppable, stack, cleanup, newKey });
  const world: World = { ...stoppable, stack, evidence, cleanup, trailLogGroup };
  const state = await evidence.stackState().catch(() => undefined);
  const known = namesOf(stack);
  for (const { physicalId, logicalId } of state?.resources ?? []) known.set(physicalId, logicalId);
  let mask = makeMask(known);
  const learnHost = evidence.lease().then(
    ({ credential }) => {
      mask = makeMask(known.set(credential.host, "host").set(credential.password, "password"));
    },
    () => undefined, // the checks say what became of it
  );
  await learnHost;
  const options = { mask: () => mask, signal, onResult: verification.onResult };
  return { results: await runChecks(checks, world, options), mask };
}

/** The stacks' names, whole and as shortened in the names of functions and roles. */
function namesOf({ name, databaseStack, issuerArn, roleArn }: StackUnderTest): Map<string, string> {
  const [, inFunctions = name] = /:function:mayfly-(.+)-[a-z2-7]{4}-issuer$/.exec(issuerArn) ?? [];
  const [, inRoles = name] = /\/mayfly-(?:sandbox_)?(.+)$/.exec(roleArn) ?? [];
  return new Map([
    [inFunctions, "stack"],
    [inRoles, "consumer role"],
    ...(databaseStack === undefined ? [] : [[databaseStack, "database stack"] as const]),
    [name, "stack"],
  ]);
}

/** Calls and waits reject when the signal is aborted, so that every check ends soon. */
function stopAt(
  signal: AbortSignal,
  { account, time }: { readonly account: Account; readonly time: Time },
): { readonly account: Account; readonly time: Time } {
  const guarded = new Proxy(account, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== "function") return value;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        signal.throwIfAborted();
        return Reflect.apply(value, target, args);
      };
    },
  });
  return {
    account: guarded,
    time: {
      now: () => time.now(),
      wait: async (length) => {
        await time.wait(length);
        signal.throwIfAborted();
      },
    },
  };
}
