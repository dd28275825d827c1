import { type Command, Option } from "commander";
import { parseLeaseId } from "../../../core/leases/lease-id.ts";
import type { ForeignRole } from "../../../core/leases/operation/list.ts";
import {
  LEASE_STATES,
  type LeaseState,
  type LeaseView,
} from "../../../core/leases/requests/lookup.ts";
import { type Io, print, say } from "../../terminal/io.ts";
import { clock, count, span, table } from "../../terminal/table.ts";
import { findOperator, operatorAt, type StackOptions, withStackOptions } from "../find.ts";
import { allLeases } from "./lease-pages.ts";

interface LeasesOptions extends StackOptions {
  readonly consumer?: string;
  readonly role?: string;
  readonly state?: LeaseState;
}

/** `mayfly leases`: list leases. */
export function addLeases(program: Command, io: Io): void {
  const command = program
    .command("leases")
    .description("list leases, as an operator")
    .option("--consumer <name>", "only of this consumer")
    .option("--role <name>", "only of this dynamic role")
    .addOption(new Option("--state <state>", "only in this state").choices(LEASE_STATES));
  withStackOptions(command).action(async (options: LeasesOptions) => {
    const { consumer, role, state } = options;
    const ask = operatorAt(await findOperator(options));
    const { leases, foreign } = await allLeases(ask, { consumer, role, state });
    const sorted = leases.toSorted(byHolder);
    print(io, options.json, { leases: sorted, foreign }, leaseTable(sorted, Date.now()));
    if (options.json !== true) say(io, count(leases.length, "lease"));
    sayForeign(io, foreign);
  });
}

const HEADER = ["STATE", "CONSUMER", "ROLE", "USER", "EXPIRES IN", "SINCE"];

/** The table for people; empty if there are no leases. `now` in milliseconds since the epoch. */
export const leaseTable = (leases: readonly LeaseView[], now: number): string =>
  leases.length === 0
    ? ""
    : table(
        HEADER,
        leases.map(({ state, consumer, role, leaseId, expiresAt, issuedAt }) => [
          state,
          consumer,
          role,
          parseLeaseId(leaseId).username,
          isLatched(state) ? "-" : untilExpiry(expiresAt, now),
          issuedAt === undefined ? "-" : clock(issuedAt),
        ]),
      );

const isLatched = (state: LeaseState): boolean => state === "quarantined" || state === "unverified";

function untilExpiry(expiresAt: string | undefined, now: number): string {
  if (expiresAt === undefined) return "-";
  const left = Date.parse(expiresAt) - now;
  return left < 0 ? `${span(-left)} ago` : span(left);
}

const sortKey = ({ consumer, role, expiresAt = "", leaseId }: LeaseView): string =>
  [consumer, role, expiresAt, leaseId].join(" ");

function byHolder(a: LeaseView, b: LeaseView): number {
  const [first, second] = [sortKey(a), sortKey(b)];
  return first < second ? -1 : Number(first > second);
}

/** Print the foreign roles to stderr: somebody should look at them. */
export function sayForeign(io: Io, foreign: readonly ForeignRole[]): void {
  for (const { username, why } of foreign)
    say(io, `role ${username} is named like a lease but is not a lease: ${why}`);
}
