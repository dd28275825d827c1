import type { Revocations } from "../../../core/leases/operation/operate.ts";
import type { LeaseView } from "../../../core/leases/requests/lookup.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { sayFailures, sayKept, statusOfFailures } from "../../terminal/failures.ts";
import { confirm, type Io, print, say } from "../../terminal/io.ts";
import { count, facts } from "../../terminal/table.ts";
import { type Ask, findOperator, operatorAt, type StackOptions } from "../find.ts";
import { allLeases } from "./lease-pages.ts";

/** Which leases an operator ends at once. */
export type Selector =
  | { readonly consumer: string }
  | { readonly prefix: string }
  | { readonly everything: true };

type Done = Pick<Revocations, "revoked" | "quarantined" | "unverified" | "failed" | "kept">;

/**
 * End all leases that are selected, call after call, with progress.
 *
 * @throws Failure if the user did not confirm, or if a lease is not gone.
 */
export async function revokeMany(
  io: Io,
  selector: Selector,
  options: StackOptions & { readonly yes?: boolean },
): Promise<void> {
  const canAsk = io.in.isTTY === true && io.err.isTTY === true;
  if (options.yes !== true && !canAsk)
    throw new Failure(
      Exit.usage,
      "there is no terminal to ask on, so nothing was revoked; pass --yes to end many leases without a question",
    );
  const ask = operatorAt(await findOperator(options));
  if (options.yes !== true) await makeSure(io, ask, selector);
  const done = await untilDone(io, ask, selector);
  const { revoked, quarantined, unverified, failed, kept = [] } = done;
  sayFailures(io, failed);
  sayKept(io, kept);
  if (revoked + quarantined + unverified + failed.length === 0)
    say(io, `${nothingMatches(selector)}; mayfly leases lists those that exist`);
  print(io, options.json, done, facts({ revoked, quarantined, unverified, failed: failed.length }));
  if (failed.length > 0)
    throw new Failure(
      statusOfFailures(failed),
      `${count(failed.length, "lease")} could not be revoked; the reasons are printed above, and the next call or sweep tries again`,
    );
  if (unverified > 0)
    throw new Failure(
      Exit.tryAgain,
      `${count(unverified, "lease")} unverified: they cannot log in, but a reader could not be checked; the sweep checks again, and docs/revocation.md says what to do`,
    );
  if (quarantined > 0)
    throw new Failure(
      Exit.unavailable,
      `${count(quarantined, "lease")} in quarantine: they cannot log in, but their roles could not be dropped; docs/revocation.md says what to do`,
    );
}

async function makeSure(io: Io, ask: Ask, selector: Selector): Promise<void> {
  const filter = "consumer" in selector ? selector : {};
  const { leases } = await allLeases(ask, filter);
  const isMeant = ({ leaseId }: LeaseView): boolean =>
    !("prefix" in selector) || leaseId.includes(`/${selector.prefix}`);
  const number = leases.filter(isMeant).length;
  const question = `This ends ${count(number, "lease")} and all their sessions.`;
  if (await confirm(io, question)) return;
  throw new Failure(Exit.usage, "not confirmed: nothing was revoked");
}

async function untilDone(io: Io, ask: Ask, selector: Selector): Promise<Done> {
  let done: Done = { revoked: 0, quarantined: 0, unverified: 0, failed: [] };
  let after: string | undefined = "";
  while (after !== undefined) {
    const event = { action: "revoke", ...selector, ...(after !== "" && { after }) };
    const part = (await ask(event).catch((error: unknown) => {
      say(io, `stopped after ${tally(done)}; run the same command again to go on`);
      throw error;
    })) as Revocations;
    const kept = [...(done.kept ?? []), ...(part.kept ?? [])];
    done = {
      revoked: done.revoked + part.revoked,
      quarantined: done.quarantined + part.quarantined,
      unverified: done.unverified + part.unverified,
      failed: [...done.failed, ...part.failed],
      ...(kept.length > 0 && { kept }),
    };
    after = part.next;
    if (after !== undefined) say(io, `${tally(done)} so far`);
  }
  return done;
}

/** A misspelled name must not look like a consumer whose leases are ended. */
function nothingMatches(selector: Selector): string {
  if ("consumer" in selector) return `there is no lease of consumer ${selector.consumer}`;
  if ("prefix" in selector)
    return `there is no lease of a user that begins with ${selector.prefix}`;
  return "there is no lease";
}

const tally = ({ revoked, quarantined, unverified, failed }: Done): string =>
  `${revoked} revoked, ${quarantined} in quarantine, ${unverified} unverified, ${failed.length} failed`;
