import { randomBytes } from "node:crypto";
import type { Login } from "../../client/keeper/keeper.ts";
import { startProxy } from "../../client/proxy/proxy.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { systemTime } from "../../client/time.ts";
import { Secret } from "../../core/secret.ts";
import { FakeKeeper } from "../support/fake-keeper.ts";

/** What the parent says first. */
export interface ServeOptions {
  readonly login: Omit<Login, "password">;
  readonly password: string;
  readonly ca: string;
  readonly socketFolder?: string;
  /** To connect to instead of the login's host, whose name stays the certificate's. */
  readonly server?: { readonly host: string; readonly port: number; readonly address: string };
}

/** What the parent reads when it asks. */
export interface ServeReport {
  readonly port: number | undefined;
  readonly sessions: number;
  readonly rss: number;
}

/** The proxy as a program of its own, with one lease that lasts, and the SDK that a lease needs. */
async function serve({ login, password, ca, socketFolder, server }: ServeOptions): Promise<void> {
  const proxy = await startProxy({
    keeper: new FakeKeeper({ ...login, password: new Secret(password) }),
    listen: socketFolder === undefined ? { port: 0 } : { socketFolder },
    servers: makeServers({ roots: [ca], time: systemTime }),
    server,
    applicationName: "test-proxy",
    onEvent: (event) => process.send?.({ event }),
    time: systemTime,
    random: randomBytes,
  });
  const { LambdaClient, ListFunctionsCommand } = await import("@aws-sdk/client-lambda");
  const lambda = new LambdaClient({
    region: "eu-west-1",
    endpoint: "http://127.0.0.1:9",
    credentials: { accessKeyId: "none", secretAccessKey: "none" },
    maxAttempts: 1,
  });
  await lambda.send(new ListFunctionsCommand()).catch(() => {}); // nobody is there: it is loaded
  process.on("message", () => {
    const report: ServeReport = {
      port: proxy.port,
      sessions: proxy.sessions,
      rss: process.memoryUsage.rss(),
    };
    process.send?.({ report });
  });
  process.send?.({ ready: true });
}

process.once("message", (options: ServeOptions) => void serve(options));
