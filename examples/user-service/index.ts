import { randomUUID } from "node:crypto";
import { type Keeper, keepLease, type LeasedClientClass, leasedClient } from "mayfly/pg";

let lease: Keeper | undefined;
let Client: LeasedClientClass | undefined;

/**
 * The lease of this instance, made by its first invocation: what is made before may be in a
 * snapshot (SnapStart), and then all instances that start from it would have one lease.
 */
function leaseOf(requestId: string): Keeper {
  const key = `${requestId}/${randomUUID({ disableEntropyCache: true })}`;
  lease ??= keepLease({ key });
  return lease;
}

/** Read a table, as a PostgreSQL user that lives for an hour and is nobody else's. */
export async function handler(_event: unknown, context: { readonly awsRequestId: string }) {
  Client ??= leasedClient(leaseOf(context.awsRequestId));
  // a connection for each invocation: one that is kept would die while the instance is frozen
  const client = new Client();
  client.on("error", (error) => console.error(error.message)); // Mayfly ends sessions
  try {
    await client.connect();
    const { rows } = await client.query("SELECT id, customer, total_cents FROM public.orders");
    return { user: client.user, rows };
  } finally {
    await client.end();
  }
}
