import type { Credential } from "../../core/leases/credential.ts";
import type { Instant } from "../../core/time.ts";
import type { StackResource, StackState } from "../aws/stack-state.ts";

export type { StackResource, StackState };

/** The answer of an invocation. */
export interface Invocation {
  readonly payload: Readonly<Record<string, unknown>>;
  /** Set if the function threw. */
  readonly errorType?: string;
  /** From the header of the response. */
  readonly requestId?: string;
}

/** The function's error message; without an error, its answer. */
export function wordsOf({ payload }: Invocation): string {
  const { errorMessage } = payload;
  return typeof errorMessage === "string" ? errorMessage : JSON.stringify(payload);
}

/** JSON documents. Undefined if the alias has none. */
export interface AliasPolicies {
  readonly resourcePolicy?: string;
  readonly permissionPolicy?: string;
}

/** Whether a stack or a resource was created or updated. */
export const isComplete = ({ status }: { readonly status: string }): boolean =>
  /^(?:CREATE|UPDATE)_COMPLETE$/.test(status);

/** A schedule's address. */
export interface ScheduleRef {
  readonly group: string;
  readonly name: string;
}

/** The target of a schedule. */
export interface ScheduleTarget {
  readonly targetArn: string;
  readonly roleArn: string;
  readonly input: string;
}

/** The rotation state of a secret. */
export interface SecretState {
  /** ARN of the rotation function. Undefined if nothing rotates the secret. */
  readonly rotatorArn?: string;
  readonly lastRotatedAt?: Instant;
  /** Version id to labels. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
}

/** The result of a saved query: its status and the number of rows. */
export interface QueryRun {
  readonly name: string;
  readonly status: string;
  readonly rows: number;
}

/** A resource that still exists after the stack was deleted. */
export interface Remainder {
  readonly what: string;
  /** A command that removes it. */
  readonly byHand: string;
}

/**
 * The calls that the checks make in one AWS account and Region. Methods reject with AWS's error: an
 * error whose `name` is AWS's code.
 */
export interface Account {
  /** False if `AWS_ENDPOINT_URL` points to something else than AWS. */
  readonly isAws: boolean;
  /** Invoke a function or alias, with the caller's keys or with those of the consumer's role. */
  invoke(as: "caller" | "consumer", arn: string, event: object): Promise<Invocation>;
  /** The policy documents on an alias: as a resource policy, and as Lambda's permissions. */
  aliasPolicies(aliasArn: string): Promise<AliasPolicies>;
  stackState(stackName: string): Promise<StackState>;
  /** The lines of a log group that contain all of these words. */
  logLines(group: string, words: readonly string[], since: Instant): Promise<readonly string[]>;
  /**
   * Run the saved queries whose names contain `part` over their log groups.
   *
   * @param words replaces the words in capitals of a query.
   */
  runSavedQueries(
    part: string,
    words: Readonly<Record<string, string>>,
    since: Instant,
  ): Promise<readonly QueryRun[]>;
  /** Schedules in any group whose names begin with `prefix`. */
  schedulesNamed(prefix: string): Promise<readonly ScheduleRef[]>;
  scheduleTarget(schedule: ScheduleRef): Promise<ScheduleTarget>;
  createSchedule(schedule: ScheduleRef, at: Instant, target: ScheduleTarget): Promise<void>;
  /** Delete a schedule. Does nothing if it does not exist. */
  deleteSchedule(schedule: ScheduleRef): Promise<void>;
  secretState(arn: string): Promise<SecretState>;
  rotateSecret(arn: string): Promise<void>;
  /**
   * Replace a rotation function's permissions by one that allows Secrets Manager to invoke it for
   * one secret only (`aws:SourceArn`). Resolves with a function that restores the former
   * permissions.
   */
  allowOnlySecret(functionArn: string, secretArn: string): Promise<() => Promise<void>>;
  /**
   * Log in with a lease's credential and run one query.
   *
   * @throws NotMade if the server cannot be reached from here.
   */
  query(credential: Credential, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** The resources that a deleted stack of this name left. */
  remaindersOf(stackName: string): Promise<readonly Remainder[]>;
}
