import {
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from "@aws-sdk/client-cloudformation";
import { GetSecretValueCommand, PutSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import pg from "pg";
import { pascal } from "../../config/config.ts";
import type { Credential } from "../../core/leases/credential.ts";
import { aliasName } from "../../core/names.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { type Clients, clientsOf, invoke } from "../local/clients.ts";
import { type Remains, remainsOn, schedulesIn } from "./remains.ts";

/** A lease and a session that it has opened. */
export interface Held {
  readonly credential: Credential;
  readonly session: pg.Client;
}

interface Seen {
  remains?: Promise<Remains>;
}

/** A stack and those who use it. */
export class Stage {
  readonly runner: Runner;
  readonly #administrator: Clients;
  readonly #seen: Seen;

  private constructor(runner: Runner, seen: Seen) {
    this.runner = runner;
    this.#administrator = clientsOf(runner, "administrator");
    this.#seen = seen;
  }

  /** Create the stack of an assembly. */
  static async start(assembly: string): Promise<Stage> {
    const seen: Seen = {};
    const runner: Runner = await startRunner({
      assembly,
      onProgress: async (line) => {
        // the server goes with the stack: this is the last moment in which it can be asked
        if (!line.startsWith("deleting AWS::RDS::DBInstance")) return;
        seen.remains = remainsOn(runner.database.superuser());
        await seen.remains.catch(() => undefined);
      },
    });
    return new Stage(runner, seen);
  }

  #output(name: string): string {
    const value = this.runner.outputs[name];
    if (value === undefined) throw new Error(`the stack has no output ${name}`);
    return value;
  }

  /** As CloudFormation has it, `gone` when it knows no stack of that name. */
  async status(): Promise<string> {
    const describe = new DescribeStacksCommand({ StackName: this.runner.stackName });
    try {
      const { Stacks } = await this.#administrator.cloudformation.send(describe);
      return Stacks?.[0]?.StackStatus ?? "gone";
    } catch (error) {
      if (error instanceof Error && error.message.endsWith("does not exist")) return "gone";
      throw error;
    }
  }

  /** Physical ids of the stack's resources of one type. */
  async #physical(type: string): Promise<string[]> {
    const describe = new DescribeStackResourcesCommand({ StackName: this.runner.stackName });
    const { StackResources = [] } = await this.#administrator.cloudformation.send(describe);
    return StackResources.flatMap(({ ResourceType, PhysicalResourceId }) =>
      ResourceType === type ? [PhysicalResourceId ?? ""] : [],
    );
  }

  /** Of the group that this stack's leases have their schedules in. */
  async groupName(): Promise<string> {
    const [name = ""] = await this.#physical("AWS::Scheduler::ScheduleGroup");
    return name;
  }

  schedulesIn(group: string): Promise<readonly string[] | undefined> {
    return schedulesIn(this.#administrator.scheduler, group);
  }

  async issue(consumer: string, role: string): Promise<Credential> {
    const clients = clientsOf(this.runner, this.#output(`${pascal(consumer)}RoleArn`));
    const alias = `${this.#output("OrdersIssuerArn")}:${aliasName(consumer, role)}`;
    const { answer, FunctionError } = await invoke(clients, alias, { action: "issue" });
    if (FunctionError !== undefined) throw new Error(JSON.stringify(answer));
    return answer as unknown as Credential;
  }

  async logIn(credential: Credential): Promise<Held> {
    const { host, port, dbname: database, username: user, password } = credential;
    const ssl = { ca: this.runner.database.ca };
    const session = new pg.Client({ host, port, database, user, password, ssl });
    session.on("error", () => {}); // a revocation ends the session; the next query says so
    await session.connect();
    return { credential, session };
  }

  async hold(consumer: string, role: string): Promise<Held> {
    return this.logIn(await this.issue(consumer, role));
  }

  /** Have the operator function sweep, as the sweep's schedule may at any time. */
  async sweep(): Promise<unknown> {
    const event = { action: "sweep" };
    return invoke(this.#administrator, this.#output("OrdersOperatorArn"), event);
  }

  /** What the server had of Mayfly when it was about to be deleted. */
  async remains(): Promise<Remains> {
    if (this.#seen.remains === undefined) throw new Error("no database was deleted");
    return this.#seen.remains;
  }

  /** Put another password into the administrator's secret. @returns the former one. */
  async setAdminPassword(password: string): Promise<string> {
    const { secrets } = this.#administrator;
    const [SecretId] = await this.#physical("AWS::SecretsManager::SecretTargetAttachment");
    const { SecretString = "" } = await secrets.send(new GetSecretValueCommand({ SecretId }));
    const former = JSON.parse(SecretString) as { readonly password: string };
    const value = JSON.stringify({ ...former, password });
    await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: value }));
    return former.password;
  }

  /** What the provisioner has warned of. */
  warnings(): readonly string[] {
    return this.runner
      .logs()
      .filter(({ functionName }) => functionName.endsWith("-provisioner"))
      .map(({ line }) => line)
      .filter((line) => line.includes('"level":"WARN"'));
  }

  /** Ids of leases that have a receipt: a sweep may drop what the provisioner has latched. */
  revoked(): ReadonlySet<string> {
    return new Set(
      this.runner
        .logs()
        .filter(({ line }) => line.includes('"lease.revoked"'))
        .map(({ line }) => (JSON.parse(line) as { readonly leaseId: string }).leaseId),
    );
  }
}
