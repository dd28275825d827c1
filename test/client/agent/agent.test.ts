import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { StateError, takeStateFolder } from "../../../client/agent/state/state-folder.ts";
import { systemTime } from "../../../client/time.ts";
import { hours, milliseconds, minutes, plus, seconds } from "../../../core/time.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { AgentWorld, arnOf, metricIn } from "../../support/agent-world.ts";

const ONE = { leases: { orders: { arn: arnOf("orders") } } };
const FILE = { ...ONE, files: [{ path: "/run/a", from: "orders", format: "env" }] };

describe("each login by itself", () => {
  test("one that is denied is told, counted and tried again, and stops no other", async () => {
    const it = new AgentWorld();
    it.issuer("denied").failure = "denied";
    const agent = await it.start({
      leases: { denied: { arn: arnOf("denied") }, ...ONE.leases },
      files: [
        { path: "/run/denied", from: "denied", format: "env" },
        { path: "/run/orders", from: "orders", format: "env" },
      ],
    });
    await it.world.run(minutes(10));
    expect(it.files.map(({ usernames }) => usernames)).toEqual([[], ["mf_1"]]);
    const failing = it.told.filter(({ event }) => event.kind === "failing");
    expect(new Set(failing.map(({ login }) => login))).toEqual(new Set(["denied"]));
    const text = agent.metrics();
    const failures = 'mayfly_source_failures_total{login="denied",failure="denied"}';
    expect(metricIn(text, failures)).toBe(failing.length);
    expect(metricIn(text, 'mayfly_login_available{login="denied"}')).toBe(0);
    expect(metricIn(text, 'mayfly_login_available{login="orders"}')).toBe(1);
    expect(metricIn(text, 'mayfly_file_current{path="/run/denied"}')).toBe(0);
    expect(metricIn(text, 'mayfly_lease_left_seconds{login="orders"}')).toBeCloseTo(3_000, -1);
    it.issuer("denied").failure = undefined;
    await it.world.run(minutes(8));
    expect(it.files[0]?.usernames).toEqual(["mf_1"]);
    await it.result(agent.close());
  });

  test("an issuer that is away for longer than a lease: how long is told, and the next is served", async () => {
    const it = new AgentWorld();
    const agent = await it.start(FILE);
    await it.world.run(minutes(30));
    it.issuer("orders").failure = "unavailable";
    await it.world.run(hours(2));
    const away = 'mayfly_source_away_seconds{login="orders"}';
    expect(metricIn(agent.metrics(), away)).toBeGreaterThan(hours(1) / 1_000);
    expect(metricIn(agent.metrics(), 'mayfly_logins_lost_total{login="orders"}')).toBe(1);
    it.issuer("orders").failure = undefined;
    await it.world.run(minutes(3));
    const back = it.told.find(({ event }) => event.kind === "source-back")?.event;
    expect(back).toMatchObject({ source: "orders-issuer:app--readonly" });
    expect(back?.kind === "source-back" && back.after).toBeGreaterThan(hours(1));
    expect(metricIn(agent.metrics(), away)).toBe(0);
    expect(it.files[0]?.usernames).toEqual(["mf_1", "mf_2"]);
    await it.result(agent.close());
  });

  test("a clock that jumps by an hour loses no lease", async () => {
    const it = new AgentWorld();
    const agent = await it.start(FILE);
    await it.world.run(minutes(5));
    it.machine.setWall(hours(1));
    await it.world.run(minutes(5));
    it.machine.setWall(hours(1) * -2);
    await it.world.run(hours(3));
    expect(it.files[0]?.usernames).toEqual(["mf_1"]);
    expect(it.kinds()).not.toContain("lost");
    await it.result(agent.close());
  });

  test("a lease that comes to its end beside the next is not lost", async () => {
    const it = new AgentWorld();
    const agent = await it.start(FILE);
    await it.world.run(hours(25));
    expect(it.kinds().filter((kind) => kind !== "renewed")).toEqual(["replaced", "ended"]);
    expect(metricIn(agent.metrics(), 'mayfly_logins_replaced_total{login="orders"}')).toBe(1);
    expect(metricIn(agent.metrics(), 'mayfly_logins_lost_total{login="orders"}')).toBe(0);
    await it.result(agent.close());
  });
});

describe("Secrets Manager's port", () => {
  const written = {
    ...ONE,
    secretsManager: { port: 0, tokenFile: join(tempFolder("mayfly-agent-").path, "token") },
  };

  test("the next lease is there a cache period and more before the old one ends", async () => {
    const it = new AgentWorld();
    const agent = await it.start(written);
    await it.world.run(milliseconds(hours(24) - minutes(62)));
    const publication = it.secrets.get("orders");
    expect(publication?.newest?.login.username).toBe("mf_2");
    expect(publication?.previous?.login.username).toBe("mf_1");
    expect(it.kinds()).not.toContain("cache-too-long");
    await it.result(agent.close());
  });

  test("where the role's maximum allows no such overlap, it is told", async () => {
    const it = new AgentWorld();
    it.issuer("orders").maxTtl = hours(1);
    const agent = await it.start(written);
    await it.world.run(minutes(1));
    const told = it.told.find(({ event }) => event.kind === "cache-too-long");
    expect(told).toMatchObject({
      login: "orders",
      event: { message: expect.stringMatching(/^its logins overlap .*maxTtl to 205 minutes$/) },
    });
    await it.result(agent.close());
  });

  test("while it is taken, it is tried again, and the lease is kept", async () => {
    const it = new AgentWorld();
    it.isPortFree = false;
    const agent = await it.start(written);
    await it.world.run(minutes(2));
    const open = `mayfly_port_open{port="Secrets Manager's port"}`;
    const failures = `mayfly_port_failures_total{port="Secrets Manager's port"}`;
    expect(metricIn(agent.metrics(), open)).toBe(0);
    expect(metricIn(agent.metrics(), failures)).toBeGreaterThan(3);
    expect(metricIn(agent.metrics(), 'mayfly_login_available{login="orders"}')).toBe(1);
    it.isPortFree = true;
    await it.world.run(minutes(1));
    expect(metricIn(agent.metrics(), open)).toBe(1);
    expect(it.issuer("orders").countOf("issue")).toBe(1);
    await it.result(agent.close());
  });
});

test("an agent is ready when its login works, its file was written and its port is open", async () => {
  const it = new AgentWorld();
  it.isPortFree = false;
  const writing = Promise.withResolvers<void>();
  const isReady = () => it.result(agent.ready(new AbortController().signal).then(String));
  const agent = await it.start(
    {
      ...FILE,
      secretsManager: { tokenFile: join(tempFolder("mayfly-agent-").path, "token") },
    },
    {
      servers: {
        logIn: async () => ({
          socket: new Socket(),
          greeting: Buffer.alloc(0),
          rest: Buffer.alloc(0),
          cancelKey: undefined,
        }),
        cancel: () => Promise.resolve(),
        probe: () => Promise.resolve(true),
      },
      startFile: async ({ file }) => ({
        path: file.path,
        isCurrent: false,
        written: writing.promise,
        remove: async () => {},
        [Symbol.asyncDispose]: async () => {},
      }),
    },
  );
  await it.world.run(seconds(5));
  expect(await isReady()).toBe("false");
  writing.resolve();
  await it.world.run(seconds(5));
  expect(await isReady()).toBe("false");
  it.isPortFree = true;
  await it.world.run(minutes(1));
  expect(await isReady()).toBe("true");
  await it.result(agent.close());
});

describe("the end", () => {
  test("leases are revoked, unless others use the key too", async () => {
    const it = new AgentWorld();
    const agent = await it.start({
      leases: { ...ONE.leases, shared: { arn: arnOf("shared"), key: "web", shared: true } },
    });
    await it.world.run(seconds(5));
    await it.result(agent.close());
    expect(it.issuer("orders").countOf("revoke")).toBe(1);
    expect(it.issuer("shared").countOf("revoke")).toBe(0);
    const revoked = it.told.filter(({ event }) => event.kind === "revoked");
    expect(revoked.map(({ login }) => login)).toEqual(["orders"]);
    expect(await agent.ready(new AbortController().signal)).toBe(false);
  });

  test("a job's leases live on", async () => {
    const it = new AgentWorld();
    const agent = await it.start(FILE, { keepsLeases: true });
    await it.world.result(agent.written);
    await it.result(agent.close());
    expect(it.issuer("orders").countOf("revoke")).toBe(0);
  });

  test("what was started is closed if a file cannot be", async () => {
    const it = new AgentWorld();
    const startFile = () => Promise.reject(new Error("unknown field"));
    await expect(it.start(FILE, { startFile })).rejects.toThrow("unknown field");
    expect(it.issuer("orders").leases.size).toBeLessThanOrEqual(
      it.issuer("orders").countOf("revoke"),
    );
  });
});

describe("the state folder", () => {
  const written = (state: string) => ({ ...FILE, state });
  const folderNow = (): string => join(tempFolder("mayfly-agent-").path, "state");

  test("is the user's alone, and has the key before the lease is asked for", async () => {
    const it = new AgentWorld();
    const state = folderNow();
    const seen: boolean[] = [];
    const issuer = it.issuer("orders");
    const issue = issuer.issue.bind(issuer);
    issuer.issue = (request, signal) => {
      seen.push(readFileSync(join(state, "keys.json"), "utf8").includes(request.key));
      return issue(request, signal);
    };
    const agent = await it.start(written(state));
    await it.world.result(agent.written);
    expect(seen).toEqual([true]);
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(statSync(join(state, "keys.json")).mode & 0o777).toBe(0o600);
    await it.result(agent.close());
    expect(JSON.parse(readFileSync(join(state, "keys.json"), "utf8"))).toEqual({ keys: {} });
    expect(existsSync(join(state, "agent.lock"))).toBe(false);
  });

  test("keeps the key of a lease that could not be revoked: the next agent has the same user", async () => {
    const it = new AgentWorld();
    const state = folderNow();
    const agent = await it.start(written(state));
    await it.world.result(agent.written);
    it.issuer("orders").failure = "unavailable";
    await it.result(agent.close());
    it.issuer("orders").failure = undefined;
    const next = await it.start(written(state));
    await it.world.result(next.written);
    expect(it.files.map(({ usernames }) => usernames)).toEqual([["mf_1"], ["mf_1"]]);
    await it.result(next.close());
  });

  test("keeps the key of a lease that was thought over while nobody answered", async () => {
    const it = new AgentWorld();
    const state = folderNow();
    const issuer = it.issuer("orders");
    const agent = await it.start(written(state));
    await it.world.result(agent.written);
    const [lease] = issuer.leases.values();
    if (lease === undefined) throw new Error("there is none");
    // a renewal reached the database, and its answer nobody
    lease.expiresAt = plus(lease.expiresAt, hours(6));
    issuer.failure = "unavailable";
    await it.world.run(hours(2));
    expect(it.kinds()).toContain("lost");
    await it.result(agent.close());
    issuer.failure = undefined;
    const next = await it.start(written(state));
    await it.world.result(next.written);
    expect(issuer.leases.size).toBe(1);
    await it.result(next.close());
    expect(issuer.isValid(lease.id)).toBe(false);
  });

  test("is one agent's: a second one is refused in words", async () => {
    const state = folderNow();
    await using first = await takeStateFolder(state, systemTime);
    await expect(takeStateFolder(state, systemTime)).rejects.toThrow(
      /^another agent has the state folder .*; stop it, or name another folder$/,
    );
    expect((await first.keysOf(["orders"])).size).toBe(1);
  });

  test("is refused in words where there is a file", async () => {
    const file = join(tempFolder("mayfly-agent-").path, "file");
    writeFileSync(file, "");
    await expect(takeStateFolder(file, systemTime)).rejects.toThrow(StateError);
  });

  test("of an agent that was killed is free, and of two that find it, one gets it", async () => {
    const state = folderNow();
    mkdirSync(state, { mode: 0o700 });
    // a socket to which nobody listens any more, as after SIGKILL
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(join(state, "agent.lock"), resolve));
    const { renameSync } = await import("node:fs");
    renameSync(join(state, "agent.lock"), join(state, "kept"));
    await new Promise((resolve) => dead.close(resolve));
    renameSync(join(state, "kept"), join(state, "agent.lock"));
    const both = await Promise.allSettled([
      takeStateFolder(state, systemTime),
      takeStateFolder(state, systemTime),
    ]);
    const taken = both.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    expect(taken).toHaveLength(1);
    await taken[0]?.[Symbol.asyncDispose]();
  });

  test.each([
    [
      "others may enter",
      (state: string) => mkdirSync(state, { mode: 0o755 }),
      /^state: others may enter .* chmod it to 700/,
    ],
    [
      "has something else in its file",
      (state: string) => {
        mkdirSync(state, { mode: 0o700 });
        writeFileSync(join(state, "keys.json"), '{"keys":["a\\u0000"]}');
      },
      /keys\.json has no keys of leases in it; remove it$/,
    ],
    [
      "cannot be written",
      (state: string) => mkdirSync(join(state, "keys.json"), { recursive: true, mode: 0o700 }),
      /keys\.json cannot be read \(EISDIR\)/,
    ],
  ])("that %s is refused in words", async (_, make, words) => {
    const state = folderNow();
    make(state);
    await expect(takeStateFolder(state, systemTime)).rejects.toThrow(words);
    expect(existsSync(join(state, "agent.lock"))).toBe(false);
  });
});
