import { test } from "vitest";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { issuerOn } from "../support/leases.ts";
import { provisioned, TEST_LIMITS } from "../support/provisioned.ts";

const TABLES = [10, 100, 1_000, 5_000];
const ROUNDS = 30;

const p50 = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** p50 of making a login and of ending it, in milliseconds. */
async function halves(
  make: (round: number) => Promise<unknown>,
  end: (round: number) => Promise<unknown>,
): Promise<readonly [number, number]> {
  const made: number[] = [];
  const ended: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    made.push(await timed(() => make(round)));
    ended.push(await timed(() => end(round)));
  }
  return [p50(made), p50(ended)];
}

/**
 * Issue and revoke as Mayfly does; then on the same server a login that is granted every table by
 * name, the way dynamic secrets are usually documented. One after the other: the grants' messages
 * about changed tables would slow the issues that come between them.
 */
test("what an issue and a revocation cost as a schema grows", async () => {
  console.log("tables   issue  by grants  ratio   revoke  by grants  ratio   (p50, ms)");
  for (const tables of TABLES) {
    const names = Array.from({ length: tables }, (_, i) => `create table public.t${i} (id int)`);
    const database = await provisioned({
      before: ({ owner }) => `set role "${owner}"; ${names.join(";")}`,
    });
    const issuer = issuerOn(database);
    const leaseIds: string[] = [];
    const [issue, revoke] = await halves(
      async () => leaseIds.push((await issuer.issue()).leaseId),
      (round) =>
        issuer.ask("user-service--readonly", { action: "revoke", leaseId: leaseIds[round] }),
    );
    await issuer.close();
    const superuser = await connect(database.superuser(), TEST_LIMITS);
    const login = (round: number): string => `"granted_${database.tag}_${round}"`;
    const [grant, ungrant] = await halves(
      (round) =>
        superuser.query(
          `create role ${login(round)} login password 'x'; grant select on all tables in schema public to ${login(round)}`,
        ),
      (round) => superuser.query(`drop owned by ${login(round)}; drop role ${login(round)}`),
    );
    await superuser.end();
    const cells = [issue, grant, grant / issue, revoke, ungrant, ungrant / revoke];
    const widths = [8, 11, 7, 9, 11, 7];
    const row = cells.map((value, i) => value.toFixed(1).padStart(widths[i] ?? 0));
    console.log(`${String(tables).padStart(6)}${row.join("")}`);
  }
});
