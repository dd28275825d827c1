import { execFile } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findProgram } from "../../../bin/proxy/find-program.ts";
import type { FileFormat } from "../../../client/agent/configuration.ts";
import { compileContent } from "../../../client/agent/files/content.ts";
import type { Login } from "../../../client/keeper/keeper.ts";
import { systemTime } from "../../../client/time.ts";
import { Secret } from "../../../core/secret.ts";
import type { TestCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { newFolder, outletScene } from "../../support/file-outlet.ts";
import { type MadeLogins, madeLogins } from "../../support/made-logins.ts";

let cluster: TestCluster;
let logins: MadeLogins;
let folder: string;
beforeAll(async () => {
  cluster = await fileCluster();
  logins = await madeLogins(cluster);
  folder = newFolder();
});
afterAll(async () => {
  await logins[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("a program that reads a file in a loop through 20 changes never sees a part, or a login that does not work", async () => {
  const path = join(folder, "db.txt");
  const first = await logins.make();
  await using scene = await outletScene(systemTime, { path }, { first });
  await scene.outlet.written;
  const [seen, failures]: [Set<string>, unknown[]] = [new Set(), []];
  let reads = 0;
  let isOver = false;
  const read = (): { readonly user: string; readonly password: string } => {
    reads += 1;
    const text = readFileSync(path, "utf8");
    const [, user, password] = /^DB_USERNAME=(made_\w+)\nDB_PASSWORD=(\w{24})\n$/.exec(text) ?? [];
    if (user === undefined || password === undefined) throw new Error(`a part: ${text.length}`);
    return { user, password };
  };
  const connecting = (async () => {
    while (!isOver) {
      const { host, port, ca } = cluster;
      const { user, password } = read();
      const client = new pg.Client({ host, port, database: "orders", user, password, ssl: { ca } });
      client.on("error", () => {}); // a revocation ends sessions
      await client.connect().then(
        () => seen.add(user),
        (error: unknown) => failures.push(error),
      );
      await client.end();
    }
  })();
  const reading = (async () => {
    while (!isOver) {
      read();
      await new Promise(setImmediate);
    }
  })();
  const all: Login[] = [first];
  for (let change = 1; change <= 20; change++) {
    const next = await logins.make();
    scene.source.next(next);
    await eventually(() => seen.has(next.username), { every: 2 });
    // as long as a lease is followed by one other, it is valid
    const before = all.at(-2);
    if (before !== undefined) await logins.revoke(before);
    all.push(next);
  }
  isOver = true;
  await Promise.all([connecting, reading]);
  expect(failures).toEqual([]);
  expect(seen.size).toBe(21);
  expect(reads).toBeGreaterThan(100);
});

const PASSWORDS = [
  "plain",
  `a&<>"'=\\: #$\`b`,
  "  spaces before",
  ":\\:\\\\:",
  "*",
  "'\\''",
  "é€𝄞",
  "#",
  "a]b[c]",
];

test.runIf(process.env.MAYFLY_READERS === "1" && findProgram("psql", process.env.PATH))(
  "libpq reads user and password of its two files as they are (npm run test:files, with psql)",
  async () => {
    const made: { readonly name: string; readonly login: Login }[] = [];
    for (const [at, password] of PASSWORDS.entries()) {
      const login = await logins.make();
      await logins.query(`alter role ${login.username} password ${pg.escapeLiteral(password)}`);
      made.push({ name: `orders/role-${at}`, login: { ...login, password: new Secret(password) } });
    }
    const render = async (format: FileFormat): Promise<string> => {
      const make = await compileContent({
        content: { kind: "format", format },
        from: made.map(({ name }) => name),
        mode: 0o600,
      });
      return make(made, () => "");
    };
    const [service, passfile, ca] = ["service.conf", "pgpass", "ca.pem"].map((name) =>
      join(folder, name),
    );
    if (service === undefined || passfile === undefined || ca === undefined) throw new Error("no");
    writeFileSync(service, await render("pg_service"));
    writeFileSync(passfile, await render("pgpass"));
    chmodSync(passfile, 0o600);
    writeFileSync(ca, cluster.ca);
    const psql = async (conninfo: string): Promise<string> => {
      const { stdout } = await promisify(execFile)(
        "psql",
        ["-XAtw", "-c", "select current_user", conninfo],
        { env: { PATH: process.env.PATH, PGSERVICEFILE: service, PGSSLROOTCERT: ca } },
      );
      return stdout.trim();
    };
    const { host, port } = cluster;
    const users = made.map(({ login }) => login.username);
    const byService = made.map(({ name }) => psql(`service=${name}`));
    expect(await Promise.all(byService)).toEqual(users);
    const address = `host=${host} port=${port} dbname=orders sslmode=verify-full`;
    const byPassfile = users.map((user) => psql(`${address} user=${user} passfile=${passfile}`));
    expect(await Promise.all(byPassfile)).toEqual(users);
  },
);
