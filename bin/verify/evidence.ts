import type { Credential } from "../../core/leases/credential.ts";
import { type LeaseName, parseLeaseName } from "../../core/leases/lease-name.ts";
import { type Instant, milliseconds, minutes, type Time } from "../../core/time.ts";
import { type Account, type Invocation, isComplete, type StackState, wordsOf } from "./account.ts";
import { auditWords } from "./checks/audit-words.ts";
import type { Cleanup } from "./cleanup.ts";
import { NotMade } from "./outcome.ts";
import { logGroupOf, type StackUnderTest } from "./stack-under-test.ts";
import { waitFor } from "./wait-for.ts";

/** A lease that this run issued. */
export interface MadeLease {
  readonly credential: Credential;
  readonly name: LeaseName;
  /** Request id of the invocation that issued it. */
  readonly requestId: string | undefined;
}

/** How a lease ended, from the revoker's audit line. */
export interface LeaseEnd {
  readonly actor: string;
  readonly state: string;
  /** Time from expiry to DROP. Unit: seconds. */
  readonly lagSeconds: number;
}

/** The issuer refused a lease; the message is the function's. */
export class LeaseNotMade extends Error {
  readonly errorType: string;

  constructor(errorType: string, message: string) {
    super(message);
    this.errorType = errorType;
  }
}

/** Results that several checks need. Each is determined once, at its first use. */
export interface Evidence {
  /** When this run began. */
  readonly since: Instant;
  /** A lease of ten minutes, revoked at the end. @throws LeaseNotMade */
  lease(): Promise<MadeLease>;
  /** A lease of ten seconds, the shortest. @throws LeaseNotMade */
  shortLease(): Promise<MadeLease>;
  /** How the short lease ended. @throws NotMade if no audit line says so in time. */
  end(): Promise<LeaseEnd>;
  /** Whether the stack is configured without alias policies. */
  aliasUnsealed(): Promise<boolean>;
  /** The issuer's answer to a call without an alias, with the caller's own keys. */
  bareCall(): Promise<Invocation>;
  /** The answer of the consumer's function. @throws NotMade if the consumer has none. */
  consumerFunction(): Promise<Invocation>;
  /** Resources and status of the stack, and of the database's own stack. */
  stackState(): Promise<StackState>;
}

/** Unit: seconds. */
const LONG = 600;
const SHORTEST = 10;

/** Scheduler's minute, the queue and the delay of the log. */
const END_WITHIN = minutes(4);

interface EvidenceDeps {
  readonly account: Account;
  readonly time: Time;
  readonly stack: StackUnderTest;
  readonly cleanup: Cleanup;
  /** Returns an idempotency key that nobody has used. */
  readonly newKey: () => string;
}

export function collectEvidence(deps: EvidenceDeps): Evidence {
  const { account, time, stack } = deps;
  const since = time.now();
  const shortLease = once(() => makeLease(deps, SHORTEST));
  const lease = once(() => makeLease(deps, LONG));
  return {
    since,
    lease,
    shortLease,
    end: once(async () => findEnd(deps, (await shortLease()).credential, since)),
    aliasUnsealed: once(async () => {
      const answer = await account.invoke("caller", stack.operatorArn, { action: "status" });
      return answer.payload.aliasUnsealed === true;
    }),
    bareCall: once(async () => {
      const { leaseId } = (await lease()).credential;
      return account.invoke("caller", stack.issuerArn, { action: "lookup", leaseId });
    }),
    consumerFunction: once(() => callConsumerFunction(deps)),
    stackState: once(() => readStacks(deps)),
  };
}

async function readStacks({ account, stack }: EvidenceDeps): Promise<StackState> {
  const { name, databaseStack } = stack;
  const first = await account.stackState(name);
  if (databaseStack === undefined) return first;
  const second = await account.stackState(databaseStack);
  return {
    status: isComplete(first) ? second.status : first.status,
    resources: [...first.resources, ...second.resources],
  };
}

function once<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let made: Promise<Result> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

async function makeLease(deps: EvidenceDeps, ttlSeconds: number): Promise<MadeLease> {
  const { account, stack, newKey } = deps;
  const event = { action: "issue", ttlSeconds, idempotencyKey: newKey() };
  const answer = await account.invoke("consumer", stack.aliasArn, event);
  const { payload, errorType, requestId } = answer;
  if (errorType !== undefined) throw new LeaseNotMade(errorType, wordsOf(answer));
  const credential = payload as unknown as Credential;
  const name = parseLeaseName(credential.username);
  if (name === undefined)
    throw new LeaseNotMade("no lease", `${stack.aliasArn} answered no credential`);
  removeLater(deps, credential.leaseId);
  return { credential, name, requestId };
}

function removeLater({ cleanup, stack }: EvidenceDeps, leaseId: string): void {
  cleanup.add({
    what: `lease ${leaseId}`,
    byHand: `mayfly revoke ${leaseId} --stack ${stack.name} --assume`,
    remove: async (account) => {
      const event = { action: "revoke", leaseId };
      const answer = await account.invoke("consumer", stack.aliasArn, event);
      if (answer.errorType !== undefined)
        throw new Error(`${answer.errorType}: ${wordsOf(answer)}`);
    },
  });
}

async function findEnd(
  { account, time, stack }: EvidenceDeps,
  { username, expiresAt }: Credential,
  since: Instant,
): Promise<LeaseEnd> {
  const left = milliseconds(Math.max(0, Date.parse(expiresAt) - time.now()));
  await time.wait(left);
  const group = logGroupOf(stack, "revoker");
  const words = auditWords("lease.revoked", username);
  const line = await waitFor(time, END_WITHIN, async () => {
    const [found] = await account.logLines(group, words, since);
    return found;
  });
  if (line === undefined)
    throw new NotMade(
      `no line lease.revoked of the short lease came to the revoker's log in ${END_WITHIN / 60_000} minutes after its expiry; look for it with mayfly whois`,
    );
  const { actor, receipt } = JSON.parse(line) as {
    readonly actor?: unknown;
    readonly receipt?: { readonly state?: unknown; readonly lagSeconds?: unknown };
  };
  return {
    actor: String(actor),
    state: String(receipt?.state),
    lagSeconds: Number(receipt?.lagSeconds),
  };
}

/** The function keeps its lease, as after any call. This run does not revoke it. */
async function callConsumerFunction({ account, stack }: EvidenceDeps): Promise<Invocation> {
  const { consumerFunction, consumer } = stack;
  if (consumerFunction === undefined)
    throw new NotMade(`the stack made no function for the consumer ${consumer}`);
  return account.invoke("caller", consumerFunction, {});
}
