import type { StackState } from "../../aws/stack-state.ts";

/** A function, as Lambda describes it. */
export interface FunctionState {
  /** `Active`, `Inactive`, `Pending` or `Failed`. */
  readonly state: string;
  /** `Successful`, `InProgress` or `Failed`. */
  readonly update: string;
  readonly reason?: string;
  readonly variables: Readonly<Record<string, string>>;
}

export interface ScheduleState {
  readonly state: string;
  readonly targetArn: string;
  readonly roleArn: string;
}

/** The documents of a role, as JSON. */
export interface RoleState {
  readonly trust: string;
  readonly policies: readonly string[];
}

export interface QueueState {
  readonly arn: string;
  readonly waiting: number;
  readonly inFlight: number;
  /** Other queues or schedules put there what failed; nobody reads it by itself. */
  readonly isDeadLetters: boolean;
  /** Seconds. Undefined: CloudWatch has no value of the last minutes. */
  readonly oldest?: number;
}

/** The rotation of a secret. Times are milliseconds since the epoch. */
export interface RotationState {
  readonly enabled: boolean;
  readonly rotatedAt?: number;
  readonly nextAt?: number;
  /** Days between two rotations, if that is how it is scheduled. */
  readonly everyDays?: number;
  /** A version that a rotation has begun and not finished. */
  readonly pending: boolean;
}

export interface AlarmState {
  readonly name: string;
  /** `OK`, `ALARM` or `INSUFFICIENT_DATA`. */
  readonly state: string;
  readonly reason: string;
}

/** What the caller may read of an account. @throws NotRead */
export interface AccountReads {
  stack(name: string): Promise<StackState>;
  functionState(name: string): Promise<FunctionState>;
  /** `Enabled`, `Disabled` and so on. */
  mappingState(id: string): Promise<string>;
  schedule(name: string): Promise<ScheduleState>;
  scheduleGroupState(name: string): Promise<string>;
  role(name: string): Promise<RoleState>;
  queue(url: string): Promise<QueueState>;
  rotation(secretArn: string): Promise<RotationState>;
  alarms(names: readonly string[]): Promise<readonly AlarmState[]>;
}

/** One call that failed: its IAM action, and the name of AWS's error. */
export class NotRead extends Error {
  override readonly name = "NotRead";
  readonly action: string;
  readonly code: string;

  constructor(action: string, cause: unknown) {
    const code = cause instanceof Error ? cause.name : "unknown error";
    super(`${action}: ${code}`, { cause });
    this.action = action;
    this.code = code;
  }

  get isDenied(): boolean {
    return /^(?:AccessDenied|AuthorizationError|UnauthorizedOperation|NotAuthorized)/.test(
      this.code,
    );
  }

  get isGone(): boolean {
    return /NotFound|NonExistentQueue|NoSuchEntity|QueueDoesNotExist/.test(this.code);
  }
}
