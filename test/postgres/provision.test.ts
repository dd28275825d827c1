import { expect, test } from "vitest";
import { provisioned, runAs } from "../support/provisioned.ts";

test("a second run changes nothing", async () => {
  const database = await provisioned();
  const before = database.secrets.puts();
  await database.provision();
  expect(database.secrets.puts()).toBe(before);
  console.log(database.lines.join("\n"));
  console.log(
    await runAs(await database.issuerLogin(), "select current_user, pg_catalog.current_database()"),
  );
});
