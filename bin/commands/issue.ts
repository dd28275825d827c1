import { randomUUID } from "node:crypto";
import { type Command, Option } from "commander";
import type { Credential } from "../../core/leases/credential.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import { type Io, print, say } from "../terminal/io.ts";
import { clock } from "../terminal/table.ts";
import { type ConsumerOptions, findAlias, withAssume } from "./find.ts";
import { secondsIn, ttlField } from "./ttl.ts";

interface IssueOptions extends ConsumerOptions {
  readonly consumer: string;
  readonly role: string;
  readonly ttl?: string;
  readonly key?: string;
  readonly minRemaining?: string;
  readonly format: "json" | "env";
  readonly show?: boolean;
}

/** `mayfly issue`: print a credential into a pipe. */
export function addIssue(program: Command, io: Io): void {
  const command = program
    .command("issue")
    .description("ask for a credential as the consumer, and print it into a pipe")
    .requiredOption("--consumer <name>", "the consumer whose grant to use")
    .requiredOption("--role <name>", "the dynamic role")
    .option("--ttl <length>", "how long it lives, e.g. 15m (default: the role's)")
    .option(
      "--key <key>",
      "idempotency key: the same key gives the same lease (default: a new key)",
    )
    .option(
      "--min-remaining <length>",
      "with --key: how long that lease must still be renewable, e.g. 30m (default: 10s)",
    )
    .addOption(
      new Option("--format <format>", "env: lines for eval in a shell")
        .choices(["json", "env"])
        .default("json"),
    )
    .option("--show", "print it on a terminal too");
  withAssume(command).action(async (options: IssueOptions) => {
    const { consumer, role, show, format, json } = options;
    if (io.out.isTTY === true && show !== true)
      throw new Failure(
        Exit.usage,
        "stdout is a terminal, so no lease was made; pipe the credential, or pass --show",
      );
    // always with a key: the SDK repeats a call if its answer is lost
    const idempotencyKey = options.key ?? randomUUID();
    const event = {
      action: "issue",
      idempotencyKey,
      ...ttlField(options.ttl),
      ...minRemainingField(options),
    };
    const ask = await findAlias(options, { consumer, role });
    const credential = (await ask(event)) as Credential;
    print(io, json === true || format === "json", credential, shellLines(credential));
    say(io, `lease ${credential.leaseId}, until ${clock(credential.expiresAt)}`);
    if (!credential.revocationScheduled)
      say(io, "its revocation could not be scheduled; the next sweep schedules it");
  });
}

function minRemainingField({ key, minRemaining }: Pick<IssueOptions, "key" | "minRemaining">): {
  readonly minRemainingSeconds?: number;
} {
  const minRemainingSeconds = secondsIn("--min-remaining", minRemaining);
  if (minRemainingSeconds === undefined) return {};
  if (key !== undefined) return { minRemainingSeconds };
  throw new Failure(
    Exit.usage,
    "--min-remaining is about an earlier lease with the same key; pass --key too",
  );
}

/** Variables that libpq and most drivers read, and the lease's id for `mayfly revoke`. */
const shellLines = (credential: Credential): string =>
  Object.entries({
    PGHOST: credential.host,
    PGPORT: String(credential.port),
    PGDATABASE: credential.dbname,
    PGUSER: credential.username,
    PGPASSWORD: credential.password,
    PGSSLMODE: credential.sslmode,
    MAYFLY_LEASE_ID: credential.leaseId,
  })
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`)
    .join("\n");
