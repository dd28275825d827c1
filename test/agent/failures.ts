import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import type { Told } from "./agent-process.ts";
import { type Case, check, LEASE, type Row } from "./stage.ts";

async function takePort(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((socket) => socket.destroy()).unref(); // also if the case fails
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

const ports: Case = {
  name: "ports that are taken: told, counted, tried again, and no other login is kept waiting",
  run: async ({ lasting, folder }) => {
    const home = folder();
    const [proxy, secrets, health] = [await takePort(), await takePort(), await takePort()];
    const configuration = {
      leases: {
        taken: { ...LEASE, proxy: { port: proxy.port, private: true } },
        free: { ...LEASE, proxy: { port: 0, private: true } },
      },
      secretsManager: { port: secrets.port, tokenFile: join(home, "token") },
    };
    const agent = lasting.start(home, configuration);
    await agent.hears("port-failed", new RegExp(`port ${proxy.port} is taken.*"login":"taken"`));
    await agent.hears("port-failed", new RegExp(`port ${secrets.port} is taken`));
    check((await agent.portOf("the proxy", "free")) > 0, "the other login is served");
    check((await agent.metric('mayfly_port_open{port="taken"}')) === 0, "the metric says 0");
    const failures = 'mayfly_port_failures_total{port="Secrets Manager\'s port"}';
    check((await agent.metric(failures)) >= 1, "failures are counted");
    const available = 'mayfly_login_available{login="taken"}';
    await eventually(async () => (await agent.metric(available)) === 1);
    check((await agent.ask("/readyz")).status === 503, "it is not ready");
    proxy.server.close();
    secrets.server.close();
    await eventually(async () => (await agent.metric('mayfly_port_open{port="taken"}')) === 1);
    await eventually(async () => (await agent.ask("/readyz")).status === 200);
    const words = agent.line("port-failed", /"login":"taken"/)?.message;
    check((await agent.end()) === 0, "it ends with 0");

    const deaf = lasting.start(home, {
      ...configuration,
      health: { port: health.port, tokenFile: join(home, "health-token") },
    });
    await deaf.hears("port-failed", new RegExp(`port ${health.port} is taken`));
    check((await deaf.portOf("the proxy", "free")) > 0, "logins are served without health");
    health.server.close();
    check((await deaf.ask("/livez")).status === 200, "health is there when its port is free");
    check((await deaf.end()) === 0, "it ends with 0");
    return `"${words}"`;
  },
};

const WRITTEN = 'mayfly_file_current{path="PATH"}';
const FAILED = 'mayfly_file_failures_total{path="PATH"}';

const disk: Case = {
  name: "a full disk and a missing folder: told, counted, the lease kept, written when there is room",
  run: async ({ lasting, folder }) => {
    const home = folder();
    const small = join(home, "small");
    mkdirSync(small);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", small]);
    if (mounted.status !== 0)
      return `skipped: mounting needs root (${mounted.stderr.toString().trim()})`;
    try {
      const filler = join(small, "filler");
      const full = spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=4k"]);
      check(full.status !== 0, "the disk is full");
      const paths = { full: join(small, "a.json"), missing: join(home, "none", "b.json") };
      const agent = lasting.start(home, {
        leases: { orders: LEASE },
        files: Object.values(paths).map((path) => ({ path, from: "orders", format: "json" })),
      });
      const { message } = await agent.hears("file-failed", /disk is full/);
      await agent.hears("file-failed", /no such folder/);
      for (const path of Object.values(paths)) {
        check((await agent.metric(WRITTEN.replace("PATH", path))) === 0, `${path} is not current`);
        check((await agent.metric(FAILED.replace("PATH", path))) >= 1, `${path} is counted`);
      }
      const available = 'mayfly_login_available{login="orders"}';
      check((await agent.metric(available)) === 1, "the lease is kept");
      rmSync(filler);
      mkdirSync(join(home, "none"));
      for (const path of Object.values(paths)) {
        await eventually(() => existsSync(path), { within: 120_000 });
        const row = JSON.parse(readFileSync(path, "utf8")) as Row;
        check((await lasting.logIn(row)) === row.username, `${path} logs in`);
      }
      check((await agent.end()) === 0, "it ends with 0");
      return `"${message}"`;
    } finally {
      spawnSync("umount", [small]);
    }
  },
};

const commands: Case = {
  name: "commands that hang and fail: told without secrets, counted, the file kept",
  run: async ({ lasting, folder }) => {
    const home = folder();
    const files = {
      hangs: { command: ["sleep", "600"], timeout: "1s" },
      fails: { command: ["sh", "-c", `cat ${join(home, "fails.json")} >&2; exit 3`] },
    };
    const agent = lasting.start(home, {
      leases: { orders: LEASE },
      files: Object.entries(files).map(([name, onChange]) => ({
        path: join(home, `${name}.json`),
        from: "orders",
        format: "json",
        onChange,
      })),
    });
    const [hung, failed] = await Promise.all([
      agent.hears("on-change-failed", /hangs\.json/),
      agent.hears("on-change-failed", /fails\.json/),
    ]);
    const row = JSON.parse(readFileSync(join(home, "fails.json"), "utf8")) as Row;
    const said = agent.told.map(({ text }) => text).join("\n");
    check(!said.includes(row.password), "no password is told");
    for (const name of Object.keys(files)) {
      const count = `mayfly_on_change_failures_total{path="${join(home, `${name}.json`)}"}`;
      check((await agent.metric(count)) >= 1, `${name} is counted`);
    }
    check((await lasting.logIn(row)) === row.username, "the file logs in");
    check((await agent.end()) === 0, "it ends with 0");
    const short = (words: string): string => words.replaceAll(home, "…").slice(0, 90);
    return `"${short(hung.message)}", "${short(failed.message)}"`;
  },
};

const isBack = ({ event }: Told): boolean => event === "source-back";

const away: Case = {
  name: "an issuer that denies, then is away longer than the lease: told, measured, the file kept",
  run: async ({ short, folder }) => {
    const home = folder();
    const path = join(home, "orders.json");
    const { issuer } = short;
    issuer.state = "denies";
    try {
      const agent = short.start(home, {
        leases: { orders: LEASE },
        files: [{ path, from: "orders", format: "json" }],
      });
      const denied = await agent.hears("failing", /denies/);
      const kind = 'mayfly_source_failures_total{login="orders",failure="denied"}';
      check((await agent.metric(kind)) >= 1, "the denial is counted");
      check(!existsSync(path), "there is no file");
      issuer.state = "answers";
      // what is denied is asked for again later than what is away
      await eventually(() => existsSync(path), { within: 400_000 });
      const first = JSON.parse(readFileSync(path, "utf8")) as Row;
      issuer.state = "away";
      await agent.hears("failing", /out of reach/);
      const available = 'mayfly_login_available{login="orders"}';
      await eventually(async () => (await agent.metric(available)) === 0, { within: 180_000 });
      // longer than a lease of half a minute
      const since = 'mayfly_source_away_seconds{login="orders"}';
      await eventually(async () => (await agent.metric(since)) > 35);
      const kept = JSON.parse(readFileSync(path, "utf8")) as Row;
      check(kept.username === first.username, "the file is kept, whole");
      issuer.state = "answers";
      await eventually(async () => (await agent.metric(available)) === 1, { within: 180_000 });
      const back = await eventually(() => agent.told.filter(isBack).at(1));
      const next = await eventually(() => {
        const row = JSON.parse(readFileSync(path, "utf8")) as Row;
        return row.username !== first.username && row;
      });
      check((await short.logIn(next)) === next.username, "the next lease is in the file");
      check((await agent.end()) === 0, "it ends with 0");
      return `"${denied.message}"; "${back.message}"`;
    } finally {
      issuer.state = "answers";
    }
  },
};

/** For templates the start is refused: nothing is asked for. */
const field: Case = {
  name: "an unknown field in a template: the start is refused, and nothing is issued",
  run: async ({ lasting, folder }) => {
    const home = folder();
    const template = join(home, "app.hbs");
    writeFileSync(template, "user = {{user}}\n");
    const count = lasting.issuer.calls.length;
    const agent = lasting.start(home, {
      leases: { orders: LEASE },
      files: [{ path: join(home, "app.conf"), from: "orders", template }],
    });
    const status = await agent.ended;
    check(status === 78, `it ends with 78, not ${status}`);
    check(lasting.issuer.calls.length === count, "nothing was issued");
    return `"${agent.told
      .map(({ message }) => message)
      .join(" ")
      .replaceAll(home, "…")}"`;
  },
};

export const FAILURES: readonly Case[] = [ports, disk, commands, field, away];
