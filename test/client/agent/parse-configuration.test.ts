import { describe, expect, test } from "vitest";
import { parseConfiguration } from "../../../client/agent/parse-configuration.ts";

const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:orders-issuer:app--readonly";

const reading = {
  environment: { MAYFLY_LEASE_ORDERS_READONLY: ARN, MAYFLY_LEASE_ORDERS_WRONG: "orders" },
  readTemplate: (path: string): string => {
    if (path.endsWith("both.hbs")) return "{{[orders/readonly].username}}";
    throw Object.assign(new Error("no such file"), { code: "ENOENT" });
  },
};

const parsed = (value: unknown) => parseConfiguration(value, reading);

/** The lines of the error. */
function problemsOf(value: unknown): readonly string[] {
  try {
    parsed(value);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
}

test("everything that may be written becomes what the agent works with", () => {
  const configuration = parsed({
    leases: {
      "orders/readonly": {
        ttl: "1h",
        key: "web",
        shared: true,
        proxy: { port: 5432, private: true },
        secretName: "orders-db",
      },
    },
    secrets: {
      reports: { id: "reports/app", proxy: { socket: "/run/mayfly/reports" } },
      other: { id: "other", proxy: { port: 0, passwordFile: "/run/p" }, secretName: false },
    },
    files: [
      {
        path: "/run/db/orders.env",
        from: "orders/readonly",
        format: "env",
        mode: "0640",
        owner: "1000:1001",
        onChange: { command: ["app", "-v", "-v"], timeout: "5s" },
      },
      {
        path: "/run/db/both.conf",
        from: ["orders/readonly", "reports"],
        template: "/etc/app/both.hbs",
        onChange: { signal: "SIGHUP", pidFile: "/run/app.pid" },
      },
      { path: "/run/db/text", from: "reports", contents: "{{password}}" },
    ],
    secretsManager: { tokenFile: "/run/mayfly/token" },
    health: { port: 9127, tokenFile: "/run/mayfly/token" },
    state: "/run/mayfly/state",
    ca: "/etc/db-ca.pem",
  });
  expect(configuration).toEqual({
    logins: [
      {
        kind: "lease",
        name: "orders/readonly",
        proxy: { kind: "private-port", port: 5432 },
        secretName: "orders-db",
        arn: ARN,
        ttl: 3_600_000,
        key: "web",
        isShared: true,
      },
      {
        kind: "secret",
        name: "reports",
        proxy: { kind: "socket", folder: "/run/mayfly/reports" },
        secretName: "reports",
        id: "reports/app",
      },
      {
        kind: "secret",
        name: "other",
        proxy: { kind: "port", port: 0, passwordFile: "/run/p" },
        secretName: undefined,
        id: "other",
      },
    ],
    files: [
      {
        path: "/run/db/orders.env",
        from: "orders/readonly",
        content: { kind: "format", format: "env" },
        mode: 0o640,
        owner: { user: 1_000, group: 1_001 },
        onChange: { kind: "command", command: ["app", "-v", "-v"], timeout: 5_000 },
      },
      {
        path: "/run/db/both.conf",
        from: ["orders/readonly", "reports"],
        content: {
          kind: "template",
          text: "{{[orders/readonly].username}}",
          source: "/etc/app/both.hbs",
        },
        mode: 0o600,
        owner: undefined,
        onChange: { kind: "signal", signal: "SIGHUP", pidFile: "/run/app.pid" },
      },
      {
        path: "/run/db/text",
        from: "reports",
        content: { kind: "template", text: "{{password}}", source: "/run/db/text" },
        mode: 0o600,
        owner: undefined,
        onChange: undefined,
      },
    ],
    secretsManager: {
      port: 2_773,
      tokenFile: "/run/mayfly/token",
      isPrivate: false,
      clientCache: 3_600_000,
    },
    health: { port: 9_127, tokenFile: "/run/mayfly/token" },
    stateFolder: "/run/mayfly/state",
    ca: "/etc/db-ca.pem",
    grace: 25_000,
  });
  expect(Object.isFrozen(configuration.logins)).toBe(true);
});

test("a lease alone is enough, and without Secrets Manager's port it has no name there", () => {
  expect(parsed({ leases: { "orders/readonly": {} } })).toMatchObject({
    logins: [{ arn: ARN, ttl: undefined, key: undefined, isShared: false, secretName: undefined }],
    files: [],
    secretsManager: undefined,
    health: undefined,
    stateFolder: undefined,
  });
});

test("all problems are told at once, each with its path, the value and the remedy", () => {
  const told = problemsOf({
    leases: { "orders/readonly": { ttl: "1 hour", prot: 1 }, "orders/new": { shared: true } },
    secrets: { reports: {} },
    files: [{ path: "db.env", from: "orders", format: "yaml" }],
    grace: 25,
    stat: "/run/state",
  });
  expect(told).toEqual([
    'leases["orders/readonly"].ttl: "1 hour" is not a duration; write a number and s, m, h or d, e.g. "1h"',
    'leases["orders/readonly"].prot: unknown key; known are arn, ttl, key, shared, proxy, secretName',
    'secrets.reports.id: missing; write its name or ARN in Secrets Manager, e.g. "orders-app"',
    'files[0].path: "db.env" is not the path of a file; write it from the root, e.g. "/run/db/orders.env"',
    'files[0].format: "yaml" is no format; write one of env, json, pgpass, pg_service, jdbc, lines, ca',
    'grace: 25 is not a duration; write a number and s, m, h or d, e.g. "1h"',
    "stat: unknown key; known are leases, secrets, files, secretsManager, health, state, ca, grace",
    'leases["orders/new"].key: missing; write the key that others use too, or no shared',
    `leases["orders/new"].arn: missing, and MAYFLY_LEASE_ORDERS_NEW is not set; write the ARN of the issuer's alias, or set the variable`,
    'files[0].from: "orders" is neither a lease nor a secret of this configuration; write one, or name one of orders/readonly, orders/new, reports',
  ]);
});

const ONE = { "orders/readonly": {} };
const HERE = { from: "orders/readonly", format: "env" };

describe("rules over several fields", () => {
  test.each<[string, object, string]>([
    [
      "no login",
      {},
      'config: has neither leases nor secrets; write at least one, e.g. "orders/readonly": {}',
    ],
    [
      "a lease and a secret of one name",
      { leases: ONE, secrets: { "orders/readonly": { id: "x" } } },
      'secrets["orders/readonly"]: "orders/readonly" is a lease too; choose another name for one of them',
    ],
    [
      "a variable that is no ARN",
      { leases: { "orders/wrong": {} } },
      'leases["orders/wrong"].arn: missing, and MAYFLY_LEASE_ORDERS_WRONG is not the ARN of an alias; set it to arn:aws:lambda:…:function:<name>:<alias>',
    ],
    [
      "a proxy with port and socket",
      { leases: { "orders/readonly": { proxy: { port: 1, socket: "/run/s", private: true } } } },
      'leases["orders/readonly"].proxy: needs a socket, or a port and either passwordFile or "private": true',
    ],
    [
      "two logins at one port",
      {
        leases: { "orders/readonly": { proxy: { port: 5432, private: true } } },
        secrets: { reports: { id: "x", proxy: { port: 5432, private: true } } },
      },
      'secrets.reports.proxy.port: 5432 is leases["orders/readonly"].proxy.port too; choose another',
    ],
    [
      "a login at the port of health",
      {
        leases: { "orders/readonly": { proxy: { port: 9127, private: true } } },
        health: { port: 9127, tokenFile: "/run/t" },
      },
      'health.port: 9127 is leases["orders/readonly"].proxy.port too; choose another',
    ],
    [
      "two logins in one folder",
      {
        leases: { "orders/readonly": { proxy: { socket: "/run/s" } } },
        secrets: { reports: { id: "x", proxy: { socket: "/run/../run/s" } } },
      },
      'secrets.reports.proxy.socket: "/run/s" is leases["orders/readonly"].proxy.socket too; choose another',
    ],
    [
      "a name that is another login's own",
      {
        leases: ONE,
        secrets: { reports: { id: "x", secretName: "orders/readonly" } },
        secretsManager: { tokenFile: "/run/t" },
      },
      'secrets.reports.secretName: "orders/readonly" is leases["orders/readonly"].secretName too; choose another',
    ],
    [
      "a secret's name without the port",
      { leases: { "orders/readonly": { secretName: "orders" } } },
      `leases["orders/readonly"].secretName: "orders" is a name on Secrets Manager's port; write secretsManager too`,
    ],
    [
      "two files of one path",
      {
        leases: ONE,
        files: [
          { path: "/run/a", ...HERE },
          { path: "/run/./a", ...HERE },
        ],
      },
      'files[1].path: "/run/a" is files[0].path too; choose another',
    ],
    [
      "a file over a token",
      {
        leases: ONE,
        files: [{ path: "/run/t", ...HERE }],
        health: { port: 0, tokenFile: "/run/t" },
      },
      'files[0].path: "/run/t" is health.tokenFile too; choose another',
    ],
    [
      "a file of nobody among many",
      {
        leases: Object.fromEntries(
          Array.from({ length: 50 }, (_, at) => [`orders/role-${at}`, { arn: ARN }]),
        ),
        files: [{ path: "/run/a", from: "orders/readonyl", format: "env" }],
      },
      'files[0].from: "orders/readonyl" is neither a lease nor a secret of this configuration; name one of them',
    ],
    [
      "a file over a template, which would be lost",
      {
        leases: ONE,
        files: [
          { path: "/etc/app/both.hbs", from: "orders/readonly", template: "/etc/app/./both.hbs" },
        ],
      },
      'files[0].path: "/etc/app/both.hbs" is files[0].template too; choose another',
    ],
    [
      "a file over the authorities",
      { leases: ONE, files: [{ path: "/run/ca.pem", ...HERE }], ca: "/run/ca.pem" },
      'files[0].path: "/run/ca.pem" is ca too; choose another',
    ],
    [
      "a file with two contents",
      { leases: ONE, files: [{ path: "/run/a", ...HERE, contents: "" }] },
      'files[0]: needs exactly one of format, template, contents; write what is in it, e.g. "format": "env"',
    ],
    [
      "a template that is not there",
      { leases: ONE, files: [{ path: "/run/a", from: "orders/readonly", template: "/etc/no" }] },
      'files[0].template: "/etc/no" cannot be read (ENOENT); name a template that this user may read',
    ],
    [
      "a command that is empty",
      { leases: ONE, files: [{ path: "/run/a", ...HERE, onChange: { command: [] } }] },
      'files[0].onChange.command: [] is no command; write the program and its arguments, e.g. ["systemctl", "reload", "app"]',
    ],
    [
      "a signal without a process",
      { leases: ONE, files: [{ path: "/run/a", ...HERE, onChange: { signal: "SIGHUP" } }] },
      'files[0].onChange.pidFile: missing; write it from the root, e.g. "/run/app.pid"',
    ],
    [
      "a name that a map has already",
      JSON.parse('{ "leases": { "__proto__": {} } }') as object,
      'leases: "__proto__" is not a name that can be used; write another',
    ],
    [
      "no object",
      [],
      'config: [] is not an object; write an object, e.g. { "leases": { "orders/readonly": {} }, "files": [] }',
    ],
  ])("%s is told", (_, configuration, line) => {
    expect(problemsOf(configuration)).toEqual([line]);
    expect(line.length).toBeLessThanOrEqual(160);
  });
});
