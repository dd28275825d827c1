import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { AwsError } from "../http/aws-error.ts";
import type { EmbeddedPostgres } from "../postgres/postgres.ts";

/** The state that DescribeDBInstances shows while a master password changes. */
export interface PasswordState {
  readonly DBInstanceStatus: "available" | "resetting-master-credentials";
  readonly PendingModifiedValues?: { readonly MasterUserPassword: "****" };
}

const LEAST = 8;
const MOST = 128;
/** Half a minute or more on AWS. Milliseconds. */
const RESET_TAKES = 500;

/** @throws AwsError in RDS's words if RDS for PostgreSQL refuses the password. */
export function assertPassword(password: string): void {
  const refuse = (why: string): AwsError =>
    new AwsError(
      "InvalidParameterValue",
      `The parameter MasterUserPassword is not a valid password${why}`,
    );
  if (!/^[!-~]*$/.test(password) || /[/@"]/.test(password))
    throw refuse(`. Only printable ASCII characters besides '/', '@', '"', ' ' may be used.`);
  if (password.length < LEAST) throw refuse(` because it is shorter than ${LEAST} characters.`);
  if (password.length > MOST) throw refuse(` because it is longer than ${MOST} characters.`);
}

/** The master password of an instance. It changes some time after the request. */
export class MasterPassword {
  readonly #onFault: (line: string) => void;
  readonly #stopping = new AbortController();
  #change: Promise<void> | undefined;

  constructor(onFault: (line: string) => void) {
    this.#onFault = onFault;
  }

  get state(): PasswordState {
    if (this.#change === undefined) return { DBInstanceStatus: "available" };
    return {
      DBInstanceStatus: "resetting-master-credentials",
      PendingModifiedValues: { MasterUserPassword: "****" },
    };
  }

  /** Start to change it. @throws AwsError if a change is in progress. */
  set(server: EmbeddedPostgres, password: string): void {
    if (this.#change !== undefined)
      throw new AwsError("InvalidDBInstanceState", "Database instance is not in available state.");
    this.#change = this.#apply(server, password)
      .catch((error: Error) => {
        if (!this.#stopping.signal.aborted)
          this.#onFault(`the master password is not changed: ${error.message}`);
      })
      .finally(() => {
        this.#change = undefined;
      });
  }

  async #apply(server: EmbeddedPostgres, password: string): Promise<void> {
    await wait(RESET_TAKES, undefined, { signal: this.#stopping.signal });
    const client = new pg.Client(server.superuser());
    await client.connect();
    try {
      const master = client.escapeIdentifier(server.masterUsername);
      await client.query(`alter role ${master} password ${client.escapeLiteral(password)}`);
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#change;
  }
}
