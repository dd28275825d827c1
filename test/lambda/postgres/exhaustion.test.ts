import { afterEach, beforeEach, expect, test } from "vitest";
import { parseLeaseId } from "../../../core/leases/lease-id.ts";
import { Secret } from "../../../core/secret.ts";
import type { Instant } from "../../../core/time.ts";
import { type Exhaustion, onExhaustion } from "../../../lambda/postgres/connection/exhaustion.ts";
import { fromPgError } from "../../../lambda/postgres/connection/from-pg-error.ts";
import { postgresEngine } from "../../../lambda/postgres/leases/engine.ts";
import { readerConnections } from "../../../lambda/postgres/leases/readers.ts";

let met: Exhaustion[];
let end: () => void;
beforeEach(() => {
  met = [];
  end = onExhaustion((exhaustion) => met.push(exhaustion));
});
afterEach(() => end());

const error = (code: string) => Object.assign(new Error("in any language"), { code });
const time = { now: () => 0 as Instant, wait: async () => {} };
const random = () => 0;

test.each([
  ["53200", ["ServerOutOfMemory"]],
  ["53300", ["ServerOutOfConnections"]],
  ["53100", []],
  ["57P01", []],
  ["ECONNREFUSED", []],
])("a driver's error %s is counted as %j, once however often it is handed on", (code, counted) => {
  fromPgError("again", fromPgError("look", error(code)));
  expect(met).toEqual(counted);
});

test("a listener that was removed is not called again", () => {
  end();
  fromPgError("look", error("53200"));
  expect(met).toEqual([]);
});

const leases = ["a", "b", "c"].map((last) => ({
  ...parseLeaseId(`orders/readonly/mf_aaaa_readonly_c_00000000aaaaaaaaaaaaa${last}`),
  incarnation: "20000",
}));

test.each([
  [
    "latch",
    (engine: ReturnType<typeof postgresEngine>) => engine.latch(leases, { onlyIfDue: true }),
  ],
  ["drop", (engine: ReturnType<typeof postgresEngine>) => engine.drop(leases)],
  ["lend", (engine: ReturnType<typeof postgresEngine>) => engine.lend(leases, "lend")],
])("what the verb %s says of single leases counts, once for a call", async (_, run) => {
  const rows = ["53200", "53200", "28000"].map((outcome) => ({ outcome, at: 0, ended: 0 }));
  const maintenance = { query: async () => rows as never };
  const engine = postgresEngine({
    maintenance,
    tag: "aaaa",
    server: "",
    serverId: "",
    time,
    random,
  });
  expect((await run(engine)).map(({ kind }) => kind)).toEqual(["failed", "failed", "failed"]);
  expect(met).toEqual(["ServerOutOfMemory"]);
});

test("a full reader counts as exhaustion although it is skipped", async () => {
  const readers = readerConnections({
    addresses: async () => [{ host: "reader", port: 5432 }],
    login: async () => ({
      host: "writer",
      port: 5432,
      database: "mayfly",
      username: "mf_aaaa_login_a",
      password: new Secret("x"),
      ssl: false,
    }),
    ssl: () => false,
    open: () => Promise.reject(error("53300")),
    tag: "aaaa",
    time,
    random,
  });
  const [reader] = await readers.list();
  await expect(reader?.sessionsWithoutRole()).rejects.toThrow("53300");
  expect(met).toEqual(["ServerOutOfConnections"]);
});
