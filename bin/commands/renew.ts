import type { Command } from "commander";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import type { Renewal } from "../../core/leases/requests/renew.ts";
import { type Io, print } from "../terminal/io.ts";
import { clock, facts } from "../terminal/table.ts";
import { type ConsumerOptions, findAlias, withAssume } from "./find.ts";
import { ttlField } from "./ttl.ts";

interface RenewOptions extends ConsumerOptions {
  readonly ttl?: string;
}

/** `mayfly renew`: move a lease's end, as its consumer. */
export function addRenew(program: Command, io: Io): void {
  const command = program
    .command("renew")
    .description("move a lease's end, as its consumer")
    .argument("<lease-id>", "the leaseId of the credential")
    .option("--ttl <length>", "from now, e.g. 15m (default: the role's)");
  withAssume(command).action(async (leaseId: string, options: RenewOptions) => {
    const { database, name } = parseLeaseId(leaseId);
    const event = { action: "renew", leaseId, ...ttlField(options.ttl) };
    const ask = await findAlias({ database, ...options }, name);
    const renewal = (await ask(event)) as Renewal;
    const text = facts({
      lease: renewal.leaseId,
      expires: clock(renewal.expiresAt),
      "at most": clock(renewal.maxExpiresAt),
      "refresh after": clock(renewal.refreshAfter),
    });
    print(io, options.json, renewal, text);
  });
}
