import type { Command } from "commander";
import { type LeaseName, NO_KEY, parseLeaseName } from "../../../core/leases/lease-name.ts";
import type { LeaseList } from "../../../core/leases/operation/list.ts";
import type { LeaseView } from "../../../core/leases/requests/lookup.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, print } from "../../terminal/io.ts";
import { clock, facts } from "../../terminal/table.ts";
import {
  chosen,
  databasesIn,
  operatorAt,
  readAllOutputs,
  readOutputs,
  type StackOptions,
  withStackOptions,
} from "../find.ts";

/** What was found under a name: a lease with its state, a foreign role, or nothing. */
type Found =
  | { readonly state: LeaseView["state"]; readonly lease: LeaseView }
  | { readonly state: "foreign"; readonly why: string }
  | { readonly state: "gone" | "of another stack" };

/** `mayfly whois`: say which consumer a PostgreSQL user belongs to. */
export function addWhois(program: Command, io: Io): void {
  const command = program
    .command("whois")
    .description("say which consumer a PostgreSQL user belongs to, and its state, as an operator")
    .argument("<username>", "the user, as in pg_stat_activity or a server log; or a lease id");
  withStackOptions(command).action(async (named: string, options: StackOptions) => {
    const username = named.split("/").at(-1) ?? "";
    const name = parseLeaseName(username);
    if (name === undefined)
      throw new Failure(
        Exit.usage,
        `${JSON.stringify(named)} is not a lease's name; those are mf_<tag>_<role>_<consumer>_<22 characters>`,
      );
    const operator = await operatorOf(name, options);
    const found: Found =
      operator === undefined ? { state: "of another stack" } : await findOne(operator, username);
    print(io, options.json, { username, ...said(name), ...found }, text(username, name, found));
  });
}

const said = ({ consumer, role, tag, shard, digest }: LeaseName) => ({
  consumer,
  role,
  tag,
  shard,
  hasKey: digest !== NO_KEY,
});

/** The operator function whose name has the tag; `undefined` if the stack has no such function. */
async function operatorOf({ tag }: LeaseName, options: StackOptions): Promise<string | undefined> {
  if (options.function !== undefined) return ofTag(options.function, tag);
  if (options.database !== undefined)
    return ofTag(chosen(await readOutputs(options), options).operator, tag);
  const outputs = await readAllOutputs(options);
  const all = [...databasesIn(outputs).values()];
  if (all.length === 0) return chosen(outputs, options).operator; // throws, and says what is missing
  return all.map(({ operator }) => operator).find((each) => ofTag(each, tag) !== undefined);
}

const ofTag = (arn: string, tag: string): string | undefined =>
  arn.endsWith(`-${tag}-operator`) ? arn : undefined;

async function findOne(operator: string, username: string): Promise<Found> {
  // begin after this name without its last character: that lists it, and at most 31 others
  const event = { action: "list", after: username.slice(0, -1), limit: 40 };
  const { leases, foreign } = (await operatorAt(operator)(event)) as LeaseList;
  const lease = leases.find(({ leaseId }) => leaseId.endsWith(`/${username}`));
  if (lease !== undefined) return { state: lease.state, lease };
  const role = foreign.find((each) => each.username === username);
  return role === undefined ? { state: "gone" } : { state: "foreign", why: role.why };
}

const WORDS: Readonly<Record<Found["state"], string>> = {
  live: "live",
  expired: "expired: its revocation is due",
  quarantined: "quarantined: cannot log in, not yet dropped",
  unverified: "unverified: cannot log in, not yet dropped; a reader could not be checked",
  foreign: "foreign: named like a lease, but not a lease",
  gone: "gone: revoked, or never issued; the audit lines with this name say which",
  "of another stack": "of another stack: no database of this stack has its tag",
};

function text(username: string, name: LeaseName, found: Found): string {
  const lease = "lease" in found ? found.lease : undefined;
  return facts({
    user: username,
    consumer: name.consumer,
    role: name.role,
    tag: name.tag,
    shard: name.shard,
    key: name.digest === NO_KEY ? "none" : `digest ${name.digest}`,
    state: WORDS[found.state],
    why: "why" in found ? found.why : undefined,
    lease: lease?.leaseId,
    issued: lease?.issuedAt && clock(lease.issuedAt),
    expires: lease?.expiresAt && clock(lease.expiresAt),
    "at most": lease?.maxExpiresAt && clock(lease.maxExpiresAt),
  });
}
