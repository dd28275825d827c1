import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../core/errors.ts";
import { readDatabaseSecret } from "../../core/rotation/database-secret.ts";
import { Secret } from "../../core/secret.ts";

const ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf";
const MASTER = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf";

const full = {
  engine: "postgres",
  host: "orders.abc.eu-west-1.rds.amazonaws.com",
  port: 5_432,
  dbname: "orders",
  username: "app",
  password: new Secret("the-password"),
};
const read = (changes: object) => readDatabaseSecret(ARN, "AWSCURRENT", { ...full, ...changes });

describe("a database secret", () => {
  test("is read whole, and unknown keys are carried over", () => {
    const value = { ...full, masterarn: MASTER, dbClusterIdentifier: "orders", more: [1] };
    const { engine: _, ...login } = full;
    expect(readDatabaseSecret(ARN, "AWSCURRENT", value)).toEqual({
      ...login,
      masterarn: MASTER,
      whole: value,
    });
  });

  test.each([
    ["Aurora's engine", { engine: "aurora-postgresql" }, {}],
    ["no port", { port: undefined }, { port: 5_432 }],
    ["a port of text", { port: "6432" }, { port: 6_432 }],
    ["the last port", { port: 65_535 }, { port: 65_535 }],
    ["no dbname", { dbname: undefined }, { dbname: "postgres" }],
    ["an address", { host: "::1" }, { host: "::1" }],
    ["a host that ends in a dot", { host: "db.example.com." }, { host: "db.example.com." }],
    ["a username that must be quoted", { username: 'App "1"' }, { username: 'App "1"' }],
    ["a name of 63 bytes", { username: "ü".repeat(31) }, { username: "ü".repeat(31) }],
  ])("is one with %s", (_, changes, expected) => {
    expect(read(changes)).toMatchObject(expected);
  });

  test("has no key masterarn if it names no administrator", () => {
    expect(read({})).not.toHaveProperty("masterarn");
  });

  test.each([
    ["no engine", { engine: undefined }, "engine undefined is not one of postgres, aurora-"],
    ["another engine", { engine: "mariadb" }, 'engine "mariadb" is not one of'],
    ["an engine in a list", { engine: ["postgres"] }, "engine (a list) is not one of"],
    ["no host", { host: undefined }, "host undefined is not the name of a server"],
    ["a URL for a host", { host: "postgres://db" }, 'host "postgres://db" is not the name'],
    ["a host with a line break", { host: "db\n" }, 'host "db\\n" is not the name'],
    ["a socket's folder", { host: "/var/run" }, 'host "/var/run" is not the name'],
    ["port 0", { port: 0 }, "port 0 is not a whole number from 1 to 65535"],
    ["a port too high", { port: 65_536 }, "port 65536 is not a whole number"],
    ["a fraction of a port", { port: 5_432.5 }, "port 5432.5 is not a whole number"],
    ["an empty port", { port: "" }, 'port "" is not a whole number'],
    ["an empty dbname", { dbname: "" }, 'dbname "" is not a database\'s name of 1 to 63 bytes'],
    ["no username", { username: undefined }, "username undefined is not a user's name"],
    ["a name of 64 bytes", { username: "ü".repeat(32) }, "is not a user's name of 1 to 63 bytes"],
    ["a NUL in a name", { username: "a\0b" }, 'username "a\\u0000b" is not a user\'s name'],
    ["no password", { password: undefined }, "password is missing or no text"],
    ["an empty password", { password: new Secret("") }, "password is missing or no text"],
    ["a password that is no text", { password: 12_345_678 }, "password is missing or no text"],
    ["a masterarn that is a name", { masterarn: "admin" }, 'masterarn "admin" is not the ARN'],
    ["a masterarn of null", { masterarn: null }, "masterarn null is not the ARN of a secret"],
  ])("cannot be rotated with %s", (_, changes, text) => {
    expect(() => read(changes)).toThrow(ConfigError);
    expect(() => read(changes)).toThrow(
      new RegExp(`^secret ${ARN} \\(AWSCURRENT\\) cannot be rotated: .*; put them right: aws `),
    );
    expect(() => read(changes)).toThrow(text);
  });

  test("names everything that is wrong at once", () => {
    expect(() => readDatabaseSecret(ARN, "AWSPENDING", {})).toThrow(
      `secret ${ARN} (AWSPENDING) cannot be rotated: engine undefined is not one of postgres, aurora-postgresql; host undefined is not the name of a server; username undefined is not a user's name of 1 to 63 bytes; password is missing or no text; put them right`,
    );
  });

  test("any value is read or refused, and no error contains the password", () => {
    const key = fc.constantFrom(...Object.keys(full));
    fc.assert(
      fc.property(fc.dictionary(key, fc.anything()), (changes) => {
        const outcome = outcomeOf(changes);
        const printed = inspect(outcome, { depth: 9, showHidden: true });
        expect(outcome === "read" || outcome instanceof ConfigError).toBe(true);
        expect(printed).not.toContain("the-password");
      }),
    );
  });
});

function outcomeOf(changes: object): unknown {
  try {
    read(changes);
    return "read";
  } catch (error) {
    return error;
  }
}
