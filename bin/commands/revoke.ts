import type { Command } from "commander";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import type { Blocker } from "../../core/leases/lease-ports.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import { revokeMany, type Selector } from "./break-glass.ts";
import { Exit, Failure } from "./exit.ts";
import {
  type Ask,
  type ConsumerOptions,
  findAlias,
  findOperator,
  operatorAt,
  withAssume,
} from "./find.ts";
import { type Io, print } from "./io.ts";
import { clock, count, facts } from "./table.ts";

interface RevokeOptions extends ConsumerOptions {
  readonly asOperator?: boolean;
  readonly consumer?: string;
  readonly prefix?: string;
  readonly everything?: boolean;
  readonly yes?: boolean;
}

/** `mayfly revoke`: end one lease, or as an operator many. */
export function addRevoke(program: Command, io: Io): void {
  const command = program
    .command("revoke")
    .description("end a lease, as its consumer; or, as an operator, all that are selected")
    .argument("[lease-id]", "the leaseId of the credential")
    .option("--as-operator", "end the one lease by the operator function")
    .option("--consumer <name>", "every lease of a consumer")
    .option("--prefix <text>", "every lease whose user begins so")
    .option("--everything", "every lease of the database")
    .option("--yes", "do not ask before ending many");
  withAssume(command).action(async (leaseId: string | undefined, options: RevokeOptions) => {
    const selector = selectorOf(leaseId, options);
    if (selector !== undefined) return revokeMany(io, selector, options);
    await revokeOne(io, leaseId ?? "", options);
  });
}

/** Which leases are meant; `undefined` for the one that is named. */
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
    throw new Failure(Exit.usage, "--assume is for revoking one lease as its consumer");
  return selector;
}

async function revokeOne(io: Io, leaseId: string, options: RevokeOptions): Promise<void> {
  const { database, name } = parseLeaseId(leaseId);
  const placed = { database, ...options };
  const ask: Ask =
    options.asOperator === true
      ? operatorAt(await findOperator(placed))
      : await findAlias(placed, name);
  const receipt = (await ask({ action: "revoke", leaseId })) as Receipt;
  print(io, options.json, receipt, receiptText(receipt));
  if (receipt.state === "unverified")
    throw new Failure(
      Exit.tryAgain,
      `lease ${leaseId} cannot log in, but not every reader of the database was seen without its sessions; the sweep looks again, and docs/revocation.md says what to do`,
    );
  if (receipt.state === "quarantined")
    throw new Failure(
      Exit.unavailable,
      `lease ${leaseId} is in quarantine: it cannot log in, and its role could not be dropped; docs/revocation.md says what to do`,
    );
}

const placeOf = ({ catalog, database }: Pick<Blocker, "catalog" | "database">): string =>
  `${catalog} in ${database}`;

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
    "kept by":
      blockers.length === 0
        ? undefined
        : blockers
            .map(
              ({ count: n, kind, why, ...each }) =>
                `${n} ${kind} (${placeOf(each)})${why === undefined ? "" : `: ${why}`}`,
            )
            .join(", "),
    cleared: cleared?.map((each) => `${each.count} (${placeOf(each)})`).join(", "),
  });
}
