import type { Command } from "commander";
import { parseLeaseId } from "../../../core/leases/lease-id.ts";
import type { Receipt } from "../../../core/leases/receipt.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { blockersText, catalogText } from "../../terminal/failures.ts";
import { type Io, print } from "../../terminal/io.ts";
import { clock, count, facts } from "../../terminal/table.ts";
import {
  type Ask,
  type ConsumerOptions,
  findAlias,
  findOperator,
  operatorAt,
  withAssume,
} from "../find.ts";
import { revokeMany, type Selector } from "./break-glass.ts";

interface RevokeOptions extends ConsumerOptions {
  readonly asOperator?: boolean;
  readonly consumer?: string;
  readonly prefix?: string;
  readonly everything?: boolean;
  readonly yes?: boolean;
}

/** `mayfly revoke`: end one lease; as an operator, end many. */
export function addRevoke(program: Command, io: Io): void {
  const command = program
    .command("revoke")
    .description("end a lease as its consumer; or end the selected leases as an operator")
    .argument("[lease-id]", "the leaseId of the credential")
    .option("--as-operator", "end the lease through the operator function")
    .option("--consumer <name>", "every lease of a consumer")
    .option("--prefix <text>", "every lease whose user name begins with this")
    .option("--everything", "every lease of the database")
    .option("--yes", "do not ask before ending many leases");
  withAssume(command).action(async (leaseId: string | undefined, options: RevokeOptions) => {
    const selector = selectorOf(leaseId, options);
    if (selector !== undefined) return revokeMany(io, selector, options);
    await revokeOne(io, leaseId ?? "", options);
  });
}

/** Which leases to end; `undefined` for the one lease that is named. */
function selectorOf(leaseId: string | undefined, options: RevokeOptions): Selector | undefined {
  const { consumer, prefix, everything, asOperator, assume } = options;
  const selectors: Selector[] = [];
  if (consumer !== undefined) selectors.push({ consumer });
  if (prefix !== undefined) selectors.push({ prefix });
  if (everything === true) selectors.push({ everything });
  if (selectors.length + (leaseId === undefined ? 0 : 1) !== 1)
    throw new Failure(
      Exit.usage,
      "name what to revoke in one way: a lease id, --consumer, --prefix or --everything",
    );
  const [selector] = selectors;
  if (assume === true && (selector !== undefined || asOperator === true))
    throw new Failure(Exit.usage, "--assume works only for one lease, revoked as its consumer");
  return selector;
}

async function revokeOne(io: Io, leaseId: string, options: RevokeOptions): Promise<void> {
  const { database, name } = parseLeaseId(leaseId);
  const target = { database, ...options };
  const ask: Ask =
    options.asOperator === true
      ? operatorAt(await findOperator(target))
      : await findAlias(target, name);
  const receipt = (await ask({ action: "revoke", leaseId })) as Receipt;
  print(io, options.json, receipt, receiptText(receipt));
  if (receipt.state === "unverified")
    throw new Failure(
      Exit.tryAgain,
      `lease ${leaseId} cannot log in, but a reader could not be checked for its sessions; the sweep checks again, and docs/revocation.md says what to do`,
    );
  if (receipt.state === "quarantined")
    throw new Failure(
      Exit.unavailable,
      `lease ${leaseId} is in quarantine: it cannot log in, but its role could not be dropped; docs/revocation.md says what to do`,
    );
}

function receiptText({ leaseId, state, servers, blockers, cleared, droppedAt }: Receipt): string {
  return facts({
    state,
    lease: leaseId,
    ...Object.fromEntries(
      servers.map((each) => [
        `sessions on ${each.server}`,
        each.problem ??
          `${each.sessionsEnded} ended, ${count(each.stragglersEnded, "straggler")}, ${each.sessionsRemaining} left`,
      ]),
    ),
    dropped: droppedAt && clock(droppedAt),
    "kept by": blockers.length === 0 ? undefined : blockersText(blockers),
    cleared: cleared?.map((each) => `${each.count} (${catalogText(each)})`).join(", "),
  });
}
