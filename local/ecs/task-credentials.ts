import { randomUUID } from "node:crypto";
import { TASKS_SERVICE } from "../../core/aws/workload-identity.ts";
import { type Account, arnOf } from "../account.ts";
import { AwsError } from "../http/aws-error.ts";
import { type ApiReply, jsonReply, type UnsignedService } from "../http/protocols.ts";
import type { RawRequest } from "../http/request-schema.ts";
import type { Role, Session } from "../iam/identity.ts";
import { keysOf, type ServiceRoles } from "../iam/service-roles.ts";

const ROOT = "/ecs/v2/credentials/";

interface Task {
  readonly id: string;
  readonly role: Role;
}

/** The credential endpoint of ECS's tasks. On AWS it is `http://169.254.170.2`. */
export class TaskCredentials implements UnsignedService {
  readonly #account: Account;
  readonly #roles: ServiceRoles;
  /** By the random end of their credentials' path. */
  readonly #tasks = new Map<string, Task>();

  constructor(account: Account, roles: ServiceRoles) {
    this.#account = account;
    this.#roles = roles;
  }

  /**
   * Start a task that only has credentials.
   *
   * @returns the path of its credentials.
   * @throws AwsError in ECS's words if the role does not trust ECS.
   */
  async start(role: Role): Promise<string> {
    const task = { id: randomUUID().replaceAll("-", ""), role };
    await this.#session(task);
    const key = randomUUID();
    this.#tasks.set(key, task);
    return `${ROOT}${key}`;
  }

  answers({ url: { pathname } }: RawRequest): boolean {
    return pathname.startsWith(ROOT);
  }

  async answer({ url: { pathname } }: RawRequest): Promise<ApiReply> {
    const task = this.#tasks.get(pathname.slice(ROOT.length));
    if (task === undefined)
      throw new AwsError("InvalidIdInRequest", "CredentialId not found", { status: 400 });
    const session = await this.#session(task);
    return jsonReply({ RoleArn: task.role.arn, ...keysOf(session) });
  }

  refuse({ code, message, status = 400 }: AwsError): ApiReply {
    return jsonReply({ code, message, HTTPErrorCode: status }, status);
  }

  async #session({ id, role }: Task): Promise<Session> {
    const session = await this.#roles.assume(role, {
      service: TASKS_SERVICE,
      actions: ["sts:AssumeRole"],
      context: {
        "aws:SourceAccount": this.#account.id,
        "aws:SourceArn": arnOf(this.#account, "ecs", `task/local/${id}`),
      },
      name: id,
    });
    if (session !== undefined) return session;
    throw new AwsError(
      "InvalidParameterException",
      `ECS was unable to assume the role '${role.arn}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.`,
      { status: 400 },
    );
  }
}
