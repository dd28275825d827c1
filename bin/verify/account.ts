import type { Credential } from "../../core/leases/credential.ts";
import type { Instant } from "../../core/time.ts";

/** What a function answered. */
export interface Invocation {
  readonly payload: Readonly<Record<string, unknown>>;
  /** Set when the function threw. */
  readonly errorType?: string;
  /** By the response's header. */
  readonly requestId?: string;
}

/** What a function said when it threw, or else what it answered. */
export function wordsOf({ payload }: Invocation): string {
  const { errorMessage } = payload;
  return typeof errorMessage === "string" ? errorMessage : JSON.stringify(payload);
}

/** JSON documents; undefined if the alias has none. */
export interface AliasPolicies {
  readonly resourcePolicy?: string;
  readonly permissionPolicy?: string;
}

/** A resource of a stack or of a stack nested in it. */
export interface StackResource {
  readonly logicalId: string;
  readonly type: string;
  readonly physicalId: string;
  readonly status: string;
}

export interface StackState {
  readonly status: string;
  readonly resources: readonly StackResource[];
}

/** Whether a stack or a resource was created or updated. */
export const isComplete = ({ status }: { readonly status: string }): boolean =>
  /^(?:CREATE|UPDATE)_COMPLETE$/.test(status);

/** A schedule's address. */
export interface ScheduleRef {
  readonly group: string;
  readonly name: string;
}

/** Where a schedule sends to. */
export interface ScheduleTarget {
  readonly targetArn: string;
  readonly roleArn: string;
  readonly input: string;
}

/** A secret as far as its rotation is concerned. */
export interface SecretState {
  /** Undefined where nothing rotates it. */
  readonly rotatorArn?: string;
  readonly lastRotatedAt?: Instant;
  /** Version id to labels. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
}

/** A saved query that was run: how it ended, and how many rows it found. */
export interface QueryRun {
  readonly name: string;
  readonly status: string;
  readonly rows: number;
}

/** Something that outlived the stack. */
export interface Remainder {
  readonly what: string;
  /** A command that removes it. */
  readonly byHand: string;
}

/**
 * One AWS account and Region, as the checks use it. Methods reject with what AWS refuses with: an
 * error whose `name` is AWS's code.
 */
export interface Account {
  /** False where `AWS_ENDPOINT_URL` leads to something else. */
  readonly isAws: boolean;
  /** Invoke a function or alias, with the caller's keys or with those of the consumer's role. */
  invoke(as: "caller" | "consumer", arn: string, event: object): Promise<Invocation>;
  /** The policy documents on an alias: as a resource policy, and as Lambda's permissions. */
  aliasPolicies(aliasArn: string): Promise<AliasPolicies>;
  stackState(stackName: string): Promise<StackState>;
  /** The lines of a log group that hold every one of these words. */
  logLines(group: string, words: readonly string[], since: Instant): Promise<readonly string[]>;
  /**
   * Run the saved queries whose names hold `part` over their log groups.
   *
   * @param words what a query's words in capitals stand for.
   */
  runSavedQueries(
    part: string,
    words: Readonly<Record<string, string>>,
    since: Instant,
  ): Promise<readonly QueryRun[]>;
  /** Schedules, in any group, whose names begin so. */
  schedulesNamed(prefix: string): Promise<readonly ScheduleRef[]>;
  scheduleTarget(schedule: ScheduleRef): Promise<ScheduleTarget>;
  createSchedule(schedule: ScheduleRef, at: Instant, target: ScheduleTarget): Promise<void>;
  /** Does nothing if it does not exist. */
  deleteSchedule(schedule: ScheduleRef): Promise<void>;
  secretState(arn: string): Promise<SecretState>;
  rotateSecret(arn: string): Promise<void>;
  /**
   * Let Secrets Manager invoke a rotation function for one secret alone (`aws:SourceArn`), in place
   * of every permission that it has. Resolves with what puts those back.
   */
  allowOnlySecret(functionArn: string, secretArn: string): Promise<() => Promise<void>>;
  /**
   * Log in with a lease's credential and run one query.
   *
   * @throws NotMade when nothing answers from here.
   */
  query(credential: Credential, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** What a deleted stack of this name has left. */
  remaindersOf(stackName: string): Promise<readonly Remainder[]>;
}
