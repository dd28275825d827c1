import { afterAll, beforeAll, expect, test } from "vitest";
import { withSession } from "../../lambda/postgres/connection/session.ts";
import { lookAtReader } from "../../lambda/postgres/doctor/reader-state.ts";
import { ownReaders } from "../support/own-readers.ts";
import { provisioned, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";

const readers = ownReaders();
let db: TestDatabase;
beforeAll(async () => {
  db = await provisioned({ cluster: readers().cluster });
  await readers().caughtUp();
});
afterAll(() => readers().resume());

const look = async () => {
  const { host, port } = readers().standby;
  const login = { ...(await db.issuerLogin()), host, port };
  return withSession(login, TEST_LIMITS, (session) => lookAtReader(readers().server, session));
};

test("a reader whose replay is paused is broken, and what the step says mends it", async () => {
  expect(await look()).toMatchObject({ check: "readers", verdict: "ok" });
  await readers().pause();
  const paused = await look();
  expect(paused).toMatchObject({ verdict: "broken", fix: { kind: "step" } });
  const [, statement = ""] =
    /: (SELECT .*;)$/.exec(paused.fix?.kind === "step" ? paused.fix.text : "") ?? [];
  await readers().ask(statement);
  expect(await look()).toMatchObject({ verdict: "ok" });
});

test("a writer is no reader", async () => {
  const found = await withSession(await db.issuerLogin(), TEST_LIMITS, (session) =>
    lookAtReader("writer", session),
  );
  expect(found).toMatchObject({ verdict: "broken" });
  expect(found.evidence).toContain("not a replica");
});
