import pg from "pg";
import type { Credential } from "../../core/leases/credential.ts";
import { aliasName } from "../../core/names.ts";
import { readAssembly } from "../../local/cloudformation/assembly.ts";
import { type Runner, type RunnerOptions, startRunner } from "../../local/runner.ts";
import { type Clients, clientsOf, type Invoked, invoke } from "../local/clients.ts";
import { shippedAssembly } from "./shipped-assembly.ts";

/** The shipped stack, running, and those who may call it. */
export interface ShippedStack {
  readonly runner: Runner;
  readonly userService: Clients;
  readonly reporting: Clients;
  readonly administrator: Clients;
  /** With the keys of the template's role whose logical id begins so. */
  as(role: string): Clients;
  readonly issuerArn: string;
  readonly operatorArn: string;
  /** Invoke user-service's alias of a role as user-service. */
  ask(event: unknown, role?: "readonly" | "readwrite"): Promise<Invoked>;
  issue(event?: object, role?: "readonly" | "readwrite"): Promise<Credential>;
  operate(event: object): Promise<Invoked>;
  logIn(credential: Credential): Promise<pg.Client>;
  /** Run SQL as the superuser that RDS keeps to itself. */
  superuser(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

export async function startShipped(options: Partial<RunnerOptions> = {}): Promise<ShippedStack> {
  const assembly = options.assembly ?? (await shippedAssembly());
  const runner = await startRunner({ ...options, assembly });
  const roles = [...readAssembly(assembly).templates.values()].flatMap(({ Resources }) =>
    Object.keys(Resources).filter((id) => Resources[id]?.Type === "AWS::IAM::Role"),
  );
  const output = (name: string): string => {
    const value = runner.outputs[name];
    if (value === undefined) throw new Error(`the stack has no output ${name}`);
    return value;
  };
  const issuerArn = output("OrdersIssuerArn");
  const operatorArn = output("OrdersOperatorArn");
  const userService = clientsOf(runner, output("UserServiceRoleArn"));
  const administrator = clientsOf(runner, "administrator");
  const ask: ShippedStack["ask"] = (event, role = "readonly") =>
    invoke(userService, `${issuerArn}:${aliasName("user-service", role)}`, event as object);
  return {
    runner,
    userService,
    administrator,
    as: (role) => clientsOf(runner, roles.find((id) => id.startsWith(role)) ?? role),
    reporting: clientsOf(runner, output("ReportingRoleArn")),
    issuerArn,
    operatorArn,
    ask,
    issue: async (event = {}, role) => {
      const { answer, FunctionError } = await ask({ action: "issue", ...event }, role);
      if (FunctionError !== undefined) throw new Error(JSON.stringify(answer));
      return answer as unknown as Credential;
    },
    operate: (event) => invoke(administrator, operatorArn, event),
    logIn: async ({ host, port, dbname, username, password }) => {
      const ssl = { ca: runner.database.ca };
      const user = username;
      const client = new pg.Client({ host, port, database: dbname, user, password, ssl });
      client.on("error", () => {}); // a revocation ends the session; the next query says so
      await client.connect();
      return client;
    },
    superuser: async (sql, database = "orders") => {
      const client = new pg.Client(runner.database.superuser(database));
      await client.connect();
      try {
        return (await client.query(sql)).rows;
      } finally {
        await client.end();
      }
    },
    stop: () => runner.stop(),
  };
}

let shared: Promise<ShippedStack> | undefined;

/**
 * One stack for the parts of a test file that leave it as they found it: starting one takes longer than
 * most of them. Whoever imports the parts stops it, by {@link stopShared}.
 */
export const sharedShipped = (): Promise<ShippedStack> => (shared ??= startShipped());

export async function stopShared(): Promise<void> {
  const stack = await shared;
  shared = undefined;
  await stack?.stop();
}
