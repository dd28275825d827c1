import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { INSTANCES_SERVICE } from "../../core/aws/workload-identity.ts";
import type { Clock } from "../clock.ts";
import type { Role } from "../iam/identity.ts";
import { keysOf, type ServiceRoles } from "../iam/service-roles.ts";

const CREDENTIALS = "/latest/meta-data/iam/security-credentials/";

interface Reply {
  readonly status: number;
  readonly text: string;
}

/** The metadata services of instances, each at an address of its own as on AWS. Version 2 alone. */
export class InstanceMetadata {
  readonly #clock: Clock;
  readonly #roles: ServiceRoles;
  readonly #servers: Server[] = [];

  constructor(clock: Clock, roles: ServiceRoles) {
    this.#clock = clock;
    this.#roles = roles;
  }

  /** Start an instance that has only metadata. @returns its `AWS_EC2_METADATA_SERVICE_ENDPOINT`. */
  async start(role: Role): Promise<string> {
    /** When each token ends. Milliseconds since the epoch. */
    const tokens = new Map<string, number>();
    const server = createServer((request, response) => {
      void this.#answer(request, role, tokens).then(({ status, text }) => {
        response.writeHead(status, { "content-type": "text/plain" }).end(text);
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
  }

  async #answer(
    { method, url = "", headers }: IncomingMessage,
    role: Role,
    tokens: Map<string, number>,
  ): Promise<Reply> {
    const now = this.#clock.now();
    if (method === "PUT" && url === "/latest/api/token") {
      const seconds = Number(headers["x-aws-ec2-metadata-token-ttl-seconds"]);
      if (!(seconds >= 1 && seconds <= 21_600)) return { status: 400, text: "Bad Request" };
      const token = randomUUID();
      tokens.set(token, now + seconds * 1_000);
      return { status: 200, text: token };
    }
    const ends = tokens.get(String(headers["x-aws-ec2-metadata-token"])) ?? 0;
    if (now >= ends) return { status: 401, text: "Unauthorized" };
    if (url === CREDENTIALS) return { status: 200, text: role.name };
    if (url === `${CREDENTIALS}${role.name}`)
      return { status: 200, text: JSON.stringify(await this.#credentials(role)) };
    return { status: 404, text: "Not Found" };
  }

  async #credentials(role: Role): Promise<object> {
    const LastUpdated = new Date(this.#clock.now()).toISOString();
    const session = await this.#roles.assume(role, {
      service: INSTANCES_SERVICE,
      actions: ["sts:AssumeRole"],
      context: {},
      name: "i-0123456789abcdef0",
    });
    if (session !== undefined)
      return { Code: "Success", LastUpdated, Type: "AWS-HMAC", ...keysOf(session) };
    return {
      Code: "AssumeRoleUnauthorizedAccess",
      Message: `EC2 cannot assume the role ${role.name}.  Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.`,
      LastUpdated,
    };
  }
}
