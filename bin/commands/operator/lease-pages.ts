import type { LeaseFilter, LeaseList } from "../../../core/leases/operation/list.ts";
import type { Ask } from "../find.ts";

/** Every lease that matches a filter, and every foreign role, from all pages. */
export async function allLeases(
  ask: Ask,
  filter: LeaseFilter,
): Promise<Pick<LeaseList, "leases" | "foreign">> {
  const leases: LeaseList["leases"][number][] = [];
  const foreign: LeaseList["foreign"][number][] = [];
  let after: string | undefined = "";
  while (after !== undefined) {
    const event = { action: "list", ...filter, ...(after !== "" && { after }) };
    const page = (await ask(event)) as LeaseList;
    leases.push(...page.leases);
    foreign.push(...page.foreign);
    after = page.next;
  }
  return { leases, foreign };
}
