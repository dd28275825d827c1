import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import { afterEach, beforeEach, test } from "vitest";
import { base32 } from "../../core/base32.ts";
import { parseLeaseName } from "../../core/leases/lease-name.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { formatShard, groupRoleName, issuerRoleName } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import { connect, type Login } from "../../lambda/postgres/connection/login.ts";
import { scramVerifier } from "../../lambda/postgres/connection/scram.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { type Issuer, issuerOn, logIn } from "../support/leases.ts";
import { provisioned, runAs, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";
import { issueOf010 } from "./fixtures/issue-0-1-0.ts";

// Ratios of one run: the engine beside the issue statement of 0.1.0, and beside what PostgreSQL itself
// takes at least ("bare": CREATE ROLE, GRANT, COMMENT in one round trip, as the issuer role).

const SHARDS = Number(process.env.MAYFLY_BENCH_SHARDS ?? 64);
/** 0.1.0's own default. */
const OLD_SHARDS = 16;
const ROUNDS = 60;
const AT_ONCE = 8;
const MANY = 200;
const LIVE = [100, 10_000] as const;

const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);
const median = (values: readonly number[]): number =>
  sorted(values)[Math.floor(values.length / 2)] ?? Number.NaN;
const percentile = (values: readonly number[], share: number): number =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
const random = (): string => base32(randomBytes(8), 12);
const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

/** One way of issuing: over so many connections, each call for itself. */
interface Way {
  readonly name: string;
  readonly issue: (connection: number) => Promise<unknown>;
  /** Add leases without going this way, which may be slow. */
  readonly fill: (count: number) => Promise<void>;
  live: number;
}

let own: OwnServer;
let verifier: string;
/** The server spends no time on one that has a single iteration: to fill, not to measure. */
let cheap: string;
const open: pg.Client[] = [];

// a server each: what one leaves behind would slow the next, and its issuer roles are unknown there
beforeEach(async () => {
  own = await startCluster(["max_connections=300"]);
  verifier = await scramVerifier(new Secret("bench"));
  cheap = verifier.replace("$4096:", "$1:");
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.end()));
  await own.server.stop();
});

async function clients(login: Login, count: number): Promise<readonly pg.Client[]> {
  const made = await Promise.all(Array.from({ length: count }, () => connect(login, TEST_LIMITS)));
  open.push(...made);
  return made;
}

const limits = { maxLeases: 30_000, maxLeasesPerConsumer: 30_000 };

async function ofToday(): Promise<Way> {
  const database = await provisioned({
    cluster: own.cluster,
    shards: SHARDS,
    limits,
    loginConnectionLimit: 50,
  });
  const { tag } = database;
  const connections = await clients(await database.issuerLogin(), AT_ONCE);
  const shardOf = (n: number): string => formatShard(n % SHARDS);
  let n = 0;
  return {
    name: "today",
    live: 0,
    issue: async (connection) => {
      const shard = shardOf(Math.floor(Math.random() * SHARDS));
      const name = `mf_${tag}_readonly_user-service_00000000${shard}${random()}`;
      const text = `select * from mf_${tag}_v1.issue_${shard}($1, $2, $3, $4, $5, $6)`;
      const values = [name, verifier, null, false, null, null];
      const answer = await connections[connection]?.query({ name: `issue_${shard}`, text, values });
      if (answer?.rows[0]?.outcome !== "issued") throw new Error("it was not issued");
    },
    fill: (count) =>
      filled(database, count, () => {
        const shard = shardOf(n++);
        return {
          name: `mf_${tag}_readonly_user-service_00000000${shard}${random()}`,
          shard: `mf_${tag}_issuer_${shard}`,
          group: groupRoleName(tag, "readonly"),
        };
      }),
  };
}

/** Make leases as their issuer roles would, in few transactions. */
async function filled(
  database: TestDatabase,
  count: number,
  next: () => { readonly name: string; readonly shard: string; readonly group: string },
): Promise<void> {
  const made = Array.from({ length: count }, next);
  const superuser = database.superuser("mayfly");
  for (let start = 0; start < made.length; start += 500) {
    const text = made.slice(start, start + 500).map(
      ({ name, shard, group }) =>
        `set role "${shard}"; create role "${name}" login password '${cheap}' valid until '2099-01-01';
           grant "${group}" to "${name}"; comment on role "${name}" is '{"v":1,"issued":1764000000000,"max":4764000000000}'`,
    );
    await runAs(superuser, `${text.join("; ")}; reset role`);
  }
}

/** 0.1.0's roles: a login that is a member of every issuer role. */
async function of010(database: TestDatabase): Promise<Way> {
  const tag = base32(randomBytes(3), 4);
  const shards = Array.from(
    { length: OLD_SHARDS },
    (_, i) => `mf_${tag}_issuer_${String(i).padStart(2, "0")}`,
  );
  const group = `mf_${tag}_group_readonly`;
  const login = `mf_${tag}_login_a`;
  await runAs(
    database.superuser("mayfly"),
    `create role "${group}" nologin; create role "${login}" login noinherit password 'bench';
     grant connect on database mayfly to "${login}";
     ${shards
       .map(
         (shard) =>
           `create role "${shard}" nologin createrole noinherit; grant "${group}" to "${shard}" with admin true, inherit false, set false; grant "${shard}" to "${login}" with inherit false, set true`,
       )
       .join("; ")}`,
  );
  const connections = await clients(database.as(login, "bench", "mayfly"), AT_ONCE);
  const shardOf = (n: number): string => shards[n % OLD_SHARDS] ?? "";
  const nameOf = (shard: string): string =>
    `mf_${tag}_${shard.slice(-2)}_user-service_readonly_00000000${random()}`;
  let n = 0;
  return {
    name: "0.1.0",
    live: 0,
    issue: async (connection) => {
      const shard = shardOf(Math.floor(Math.random() * OLD_SHARDS));
      const order = { tag, shard, group, consumer: "user-service", verifier, limit: 30_000 };
      const answer: unknown = await connections[connection]?.query(
        issueOf010({ ...order, username: nameOf(shard) }),
      );
      const last = Array.isArray(answer) ? answer.at(-1) : undefined;
      if (!String(last?.rows[0]?.outcome).startsWith("issued"))
        throw new Error("it was not issued");
    },
    fill: (count) =>
      filled(database, count, () => {
        const shard = shardOf(n++);
        return { name: nameOf(shard), shard, group };
      }),
  };
}

/** What PostgreSQL takes by itself: issuer roles that log in, and do nothing but make leases. */
async function bare(database: TestDatabase): Promise<Way> {
  const tag = base32(randomBytes(3), 4);
  const group = `bare_${tag}_group`;
  const shards = Array.from({ length: SHARDS }, (_, i) => `bare_${tag}_issuer_${formatShard(i)}`);
  await runAs(
    database.superuser("mayfly"),
    `create role "${group}" nologin; ${shards
      .map(
        (shard) =>
          `create role "${shard}" login createrole password 'bench'; grant connect on database mayfly to "${shard}"; grant "${group}" to "${shard}" with admin true, inherit false, set false`,
      )
      .join("; ")}`,
  );
  const connections = await Promise.all(
    shards.map(async (shard) => (await clients(database.as(shard, "bench", "mayfly"), 1))[0]),
  );
  let n = 0;
  let next = 0;
  const nameOf = (): string => `bare_${tag}_readonly_user-service_00000000${random()}`;
  return {
    name: "bare",
    live: 0,
    issue: async () => {
      const name = nameOf();
      await connections[next++ % SHARDS]?.query(
        `create role "${name}" login connection limit 20 password '${verifier}' valid until '2099-01-01';
         grant "${group}" to "${name}" with inherit true, set false;
         comment on role "${name}" is '{"v":1,"issued":1764000000000,"max":4764000000000}'`,
      );
    },
    fill: (count) =>
      filled(database, count, () => ({ name: nameOf(), shard: shards[n++ % SHARDS] ?? "", group })),
  };
}

async function grow(way: Way, live: number): Promise<void> {
  await way.fill(Math.max(0, live - way.live));
  way.live = Math.max(way.live, live);
}

test("what an issue takes, one at a time and eight at once, at 100 and at 10,000 live leases", async () => {
  const database = await provisioned({ cluster: own.cluster });
  const ways = [await ofToday(), await of010(database), await bare(database)];
  const p50 = new Map<string, number>();
  for (const live of LIVE) {
    for (const way of ways) await grow(way, live);
    // without this 0.1.0 takes ten times as long; no plan of today's depends on it
    await runAs(
      database.superuser("mayfly"),
      "analyze pg_catalog.pg_authid, pg_catalog.pg_auth_members",
    );
    for (const way of ways) for (let n = 0; n < 5; n++) await way.issue(0);
    const times = new Map(ways.map((way) => [way.name, [] as number[]]));
    for (let n = 0; n < ROUNDS; n++)
      for (const way of ways) times.get(way.name)?.push(await timed(() => way.issue(0)));
    for (const way of ways) p50.set(`${way.name} ${live}`, median(times.get(way.name) ?? []));
    const rates = new Map<string, number>();
    for (const way of ways.slice(0, 2)) {
      let left = MANY;
      const took = await timed(() =>
        Promise.all(
          Array.from({ length: AT_ONCE }, async (_, connection) => {
            while (left-- > 0) await way.issue(connection);
          }),
        ),
      );
      rates.set(way.name, (MANY / took) * 1_000);
    }
    const [today = 0, old = 0, floor = 0] = ["today", "0.1.0", "bare"].map(
      (name) => p50.get(`${name} ${live}`) ?? 0,
    );
    const [now = 0, then = 0] = ["today", "0.1.0"].map((name) => rates.get(name) ?? 0);
    console.log(
      `${live} live: p50 today ${today.toFixed(2)} ms, 0.1.0 ${old.toFixed(2)} (${(today / old).toFixed(2)}), bare ${floor.toFixed(2)} (${(today / floor).toFixed(2)}); ` +
        `${AT_ONCE} at once: ${now.toFixed(0)}/s, 0.1.0 ${then.toFixed(0)}/s (${(now / then).toFixed(2)})`,
    );
  }
  const [few = 0, lots = 0] = LIVE.map((live) => p50.get(`today ${live}`) ?? 0);
  console.log(`today at ${LIVE[1]} live beside ${LIVE[0]}: ${(lots / few).toFixed(2)}`);
});

test("a stack made a minute ago: the 1,500th issue beside the 50th", async () => {
  const database = await provisioned({ cluster: own.cluster, shards: SHARDS, limits });
  const issuer = issuerOn(database);
  const times: number[] = [];
  for (let n = 0; n < 1_520; n++) times.push(await timed(() => issuer.issue()));
  const [early, late] = [median(times.slice(30, 70)), median(times.slice(1_480, 1_520))];
  console.log(
    `50th ${early.toFixed(2)} ms, 1,500th ${late.toFixed(2)} ms: ${(late / early).toFixed(2)}`,
  );
  await issuer.close();
});

test("a consumer at its limit of 5, in a role with 10 leases and with 10,000", async () => {
  for (const live of [10, 10_000]) {
    const database = await provisioned({
      cluster: own.cluster,
      shards: SHARDS,
      limits: { maxLeases: 30_000, maxLeasesPerConsumer: 5 },
    });
    let n = 0;
    await filled(database, live, () => {
      const shard = formatShard(n++ % SHARDS);
      return {
        name: `mf_${database.tag}_readonly_reporting_00000000${shard}${random()}`,
        shard: `mf_${database.tag}_issuer_${shard}`,
        group: groupRoleName(database.tag, "readonly"),
      };
    });
    const issuer = issuerOn(database);
    const held = [];
    for (let lease = 0; lease < 5; lease++) held.push(await issuer.issue());
    const refused: number[] = [];
    const issued: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      refused.push(await timed(() => issuer.issue().catch(() => undefined)));
      const oldest = held.shift();
      await issuer.ask("user-service--readonly", { action: "revoke", leaseId: oldest?.leaseId });
      issued.push(await timed(async () => held.push(await issuer.issue())));
    }
    console.log(
      `5 of 5 among ${live}: refused in ${median(refused).toFixed(2)} ms, issued when there is room in ${median(issued).toFixed(2)} ms`,
    );
    await issuer.close();
  }
});

/** Let all of a stack's leases expire a moment ago. */
const expire = (database: TestDatabase): Promise<unknown> =>
  runAs(
    database.superuser(),
    `do $$ declare r record; begin
       for r in select rolname from pg_roles where rolname ~ '^mf_${database.tag}_readonly_' loop
         execute format('alter role %I valid until %L', r.rolname, clock_timestamp() - interval '1 millisecond');
       end loop; end $$`,
  );

test.each([1_000, 5_000])("%i leases that end in the same second", async (count) => {
  const database = await provisioned({
    cluster: own.cluster,
    shards: SHARDS,
    limits,
    loginConnectionLimit: 50,
  });
  const issuer: Issuer = issuerOn(database);
  const sessions: pg.Client[] = [];
  for (let n = 0; n < 100; n++) sessions.push(await logIn(database, await issuer.issue()));
  let n = 0;
  await filled(database, count - 100, () => {
    const shard = formatShard(n++ % SHARDS);
    const name = `mf_${database.tag}_readonly_user-service_00000000${shard}${random()}`;
    if (parseLeaseName(name) === undefined) throw new Error(`${name} is not the name of a lease`);
    return {
      name,
      shard: issuerRoleName(database.tag, (n - 1) % SHARDS),
      group: groupRoleName(database.tag, "readonly"),
    };
  });
  const other = issuerOn(database);
  const quiet: number[] = [];
  for (let i = 0; i < 100; i++)
    quiet.push(await timed(() => other.issue("user-service--readwrite")));
  await expire(database);
  const meanwhile: number[] = [];
  let isDraining = true;
  const asking = (async () => {
    while (isDraining) {
      meanwhile.push(await timed(() => other.issue("user-service--readwrite")));
      await setTimeout(10);
    }
  })();
  const took = await timed(async () => {
    const report = await sweep(issuer.deps, { actor: "sweep", mayContinue: () => true });
    if (report.revoked < count) throw new Error(JSON.stringify(report));
  });
  isDraining = false;
  await asking;
  console.log(
    `${count} leases, 100 sessions: gone in ${(took / 1_000).toFixed(2)} s; issues meanwhile p99 ${percentile(meanwhile, 0.99).toFixed(1)} ms of ${meanwhile.length}, quiet ${percentile(quiet, 0.99).toFixed(1)} (${(percentile(meanwhile, 0.99) / percentile(quiet, 0.99)).toFixed(1)})`,
  );
  await Promise.all([
    issuer.close(),
    other.close(),
    ...sessions.map((each) => each.end().catch(() => {})),
  ]);
});
