import { beforeAll, describe, expect, test } from "vitest";
import type { LeaseList } from "../../../core/leases/operation/list.ts";
import { eventually } from "../../support/eventually.ts";
import { mayfly, mayflyProcess, shellOf } from "../../support/mayfly.ts";
import type { ShippedStack } from "../../support/stack.ts";
import { promised } from "./stack.ts";

const LEASES = 5_000;
/** For a moment in which the processors are free. */
const PATIENCE = { within: 120_000 };

let stack: ShippedStack;
/** Roles as the issuer leaves them, over its shards, in one transaction: thousands of issues take minutes. */
const manyLeases = (tag: string, number: number): string => `do $$
declare
  name text;
  shard text;
  record text := format('{"v": 1, "max": %1$s, "issued": %1$s}',
    floor(extract(epoch from now()) * 1000)::int8);
begin
  for i in 1..${number} loop
    shard := 'a' || substr('abcdefghijklmnop', i % 16 + 1, 1);
    name := format('mf_${tag}_readonly_user-service_00000000%s%s', shard,
      translate(lpad(i::text, 12, 'z'), '0189', 'abcd'));
    execute format('create role %I login valid until %L in role mf_${tag}_group_readonly',
      name, now() + interval '1 hour');
    execute format('grant %I to mf_${tag}_issuer_%s with admin option', name, shard);
    execute format('comment on role %I is %L', name, record);
  end loop;
end $$`;

describe("with thousands of leases", () => {
  beforeAll(async () => {
    stack = await promised();
    const { username } = await stack.issue();
    const [, tag = ""] = username.split("_");
    await stack.superuser(manyLeases(tag, LEASES - 1));
  });

  test("mayfly leases answers for 5,000 leases within 2 seconds", async () => {
    const env = shellOf(stack.runner, "administrator");
    await mayflyProcess(["status"], env); // an operator function that was just called is warm
    const { status, out, err, milliseconds } = await eventually(async () => {
      const ran = await mayflyProcess(["leases"], env);
      // other tests share the processors: once is enough
      return ran.milliseconds < 2_000 && ran;
    }, PATIENCE);
    console.log(`mayfly leases, ${LEASES} leases: ${Math.round(milliseconds)} ms`);
    expect({ status, err }).toEqual({ status: 0, err: `${LEASES} leases\n` });
    expect(out.trimEnd().split("\n")).toHaveLength(LEASES + 1);
  });

  test("every one of them is in the JSON document, once", async () => {
    const { out, err } = await mayfly(["leases", "--json"], shellOf(stack.runner, "administrator"));
    const { leases, foreign } = JSON.parse(out) as LeaseList;
    expect(new Set(leases.map(({ leaseId }) => leaseId)).size).toBe(LEASES);
    expect({ foreign, err }).toEqual({ foreign: [], err: "" });
  });

  test("status counts all of them", async () => {
    const { out, err } = await mayfly(["status"], shellOf(stack.runner, "administrator"));
    expect(out).toMatch(/^ROLE +CONSUMER +STATE +COUNT\nreadonly +user-service +live +5000\n$/);
    expect(err).toBe("5000 leases\n");
  });
});
