import { test } from "vitest";
import { connect } from "../../lambda/postgres/connection/login.ts";
import type { Sql } from "../../lambda/postgres/connection/sql.ts";
import { issuer } from "../support/leases.ts";
import { TEST_LIMITS } from "../support/provisioned.ts";

const ISSUES = 60;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

test("what an issue takes beside its statement by hand, in turn on one connection", async () => {
  let sent = "";
  const lease = await issuer({
    open: async (login) => {
      const client = await connect(login, TEST_LIMITS);
      const query = ((text: string) => {
        sent = text;
        return client.query(text);
      }) as typeof client.query;
      return { query, end: () => client.end() };
    },
  });
  const { username } = await lease.issue();
  const statement = sent;
  const random = username.slice(-12);
  const issued: number[] = [];
  const byHand: number[] = [];
  for (let n = 0; n < ISSUES; n++) {
    const beforeIssue = performance.now();
    await lease.issue();
    issued.push(performance.now() - beforeIssue);
    const name = String(n)
      .padStart(2, "0")
      .replaceAll(/\d/g, (digit) => "abcdefghij"[+digit] ?? "");
    const other = statement.replaceAll(random, `${name}${random.slice(2)}`) as Sql;
    const beforeQuery = performance.now();
    await lease.maintenance.query("by hand", other);
    byHand.push(performance.now() - beforeQuery);
  }
  const [issue, hand] = [median(issued), median(byHand)];
  const times = `p50 of ${ISSUES}: issue ${issue.toFixed(1)} ms, the same SQL by hand ${hand.toFixed(1)} ms`;
  console.log(`${times}, ratio ${(issue / hand).toFixed(2)}`);
  await lease.close();
});
