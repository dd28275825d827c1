import { expect, test } from "vitest";
import {
  serverParameters,
  startupRefusal,
  textOf,
} from "../../../../client/proxy/startup/startup-parameters.ts";

const startup = (parameters: Readonly<Record<string, string>>) => ({
  protocol: 196_608,
  parameters: new Map(Object.entries(parameters)),
});
const defaults = { database: "bücher", applicationName: "pod-1" };
const passed = (parameters: Readonly<Record<string, string>>) =>
  Object.fromEntries(serverParameters(startup(parameters), defaults));
/** The bytes of "bücher" in UTF-8. */
const BOOKS = "b\xc3\xbccher";

test.each([
  ["no database is the lease's", { user: "x" }, { database: BOOKS, application_name: "pod-1" }],
  [
    "a database named as the user is the lease's: libpq fills it in",
    { user: "x", database: "x" },
    { database: BOOKS, application_name: "pod-1" },
  ],
  [
    "another database is passed on, and so is everything else",
    { user: "x", database: "other", options: "-c a=b\xff", application_name: "app" },
    { database: "other", options: "-c a=b\xff", application_name: "app" },
  ],
  [
    "an empty application_name is no name",
    { database: "o", application_name: "" },
    { database: "o", application_name: "pod-1" },
  ],
])("%s", (_, given, expected) => {
  expect(passed(given)).toEqual(expected);
});

test.each([
  ["true", true],
  ["database", true],
  ["1", true],
  ["on", true],
  ["false", false],
  ["OFF", false],
  ["0", false],
])("replication=%s is refused: %s", (replication, isRefused) => {
  expect(startupRefusal(startup({ replication })) !== undefined).toBe(isRefused);
});

test("names are read as UTF-8 for messages", () => {
  expect(textOf(BOOKS)).toBe("bücher");
});
