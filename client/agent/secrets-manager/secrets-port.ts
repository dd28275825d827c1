import { randomUUID } from "node:crypto";
import type { Secret } from "../../../core/secret.ts";
import { type Duration, seconds } from "../../../core/time.ts";
import {
  type GuardedAnswer,
  type GuardedRequest,
  type GuardedServer,
  type Refusal,
  startGuardedServer,
} from "../../loopback/guarded-server.ts";
import { tokenCheck } from "../../loopback/token-file.ts";
import type { ClientTime } from "../../time.ts";
import type { AgentEvent } from "../agent-events.ts";
import type { Publication } from "../publication.ts";
import { membersOfGet } from "./get-query.ts";
import { type Asked, OPERATIONS, type OperationName, type Served } from "./operations.ts";
import { membersIn, operationIn, regionIn } from "./sdk-request.ts";
import { SecretError, secretErrorOf } from "./secret-error.ts";

export interface SecretsPortOptions {
  /** On 127.0.0.1. 0: a free one. */
  readonly port: number;
  readonly token: Secret;
  /** Callers of the SDK's protocol need no token. */
  readonly isPrivate: boolean;
  /** By the name that clients ask for. */
  readonly secrets: ReadonlyMap<string, Publication>;
  readonly onEvent: (event: AgentEvent) => void;
  readonly time: ClientTime;
  /** For how long a request may wait for a login. @default 10 s */
  readonly patience?: Duration;
}

/** Secrets Manager's protocol on the loopback, for logins that the agent holds. */
export type SecretsPort = GuardedServer;

const PATIENCE = seconds(10);
const MOST_CONNECTIONS = 64;
/** Twenty ARNs of a batch, and more. Unit: bytes. */
const LARGEST_BODY = 65_536;

/**
 * Answer what AWS's clients ask Secrets Manager for. Who has no token gets no answer, and nothing is
 * asked of issuer or server for them. Signatures are not checked: there is nothing to check them by.
 *
 * @throws ListenError
 */
export function startSecretsPort(options: SecretsPortOptions): Promise<SecretsPort> {
  const { port, secrets, time, patience = PATIENCE } = options;
  const answers = new Answers(options, { secrets, time, patience });
  return startGuardedServer({
    port,
    answer: answers.to,
    refuse: answers.refuse,
    longestAnswer: patience,
    mostConnections: MOST_CONNECTIONS,
    largestBody: LARGEST_BODY,
    time,
  });
}

/** The header of the Secrets Manager Agent and of the Lambda extension. */
const TOKEN_HEADER = "x-aws-parameters-secrets-token";
const JSON_1_1 = "application/x-amz-json-1.1";

class Answers {
  readonly #isToken: (given: string | undefined) => boolean;
  readonly #isPrivate: boolean;
  readonly #onEvent: (event: AgentEvent) => void;
  readonly #served: Served;

  constructor({ token, isPrivate, onEvent }: SecretsPortOptions, served: Served) {
    this.#isToken = tokenCheck(token);
    this.#isPrivate = isPrivate;
    this.#onEvent = onEvent;
    this.#served = served;
  }

  readonly to = async (request: GuardedRequest): Promise<GuardedAnswer> => {
    try {
      switch (request.method) {
        case "POST":
          return await this.#toSdk(request);
        case "GET":
          return await this.#toGet(request);
        default:
          return this.#say(405, "only GET and POST");
      }
    } catch (error) {
      return this.#sayError(error);
    }
  };

  readonly refuse = (refusal: Refusal): GuardedAnswer => {
    switch (refusal) {
      case "host":
        return this.#say(403, "the Host must be 127.0.0.1 or localhost, with this port");
      case "origin":
        return this.#say(403, "pages of browsers and forwarded requests are refused");
      case "size":
        return this.#say(413, `a request has at most ${LARGEST_BODY} bytes`);
      default:
        return refusal satisfies never;
    }
  };

  async #toSdk(request: GuardedRequest): Promise<GuardedAnswer> {
    const { url, headers, body } = request;
    // an SDK has no header for a token, but keeps the path of its endpoint
    const isAllowed =
      url === "/"
        ? this.#isPrivate || this.#hasTokenHeader(request)
        : this.#isToken(url.slice(1).replace(/\/$/, ""));
    if (!isAllowed) throw noToken();
    const operation = operationIn(headers);
    const answer = await this.#run(operation, request, membersIn(body));
    return { status: 200, contentType: JSON_1_1, headers: ids(), body: JSON.stringify(answer) };
  }

  async #toGet(request: GuardedRequest): Promise<GuardedAnswer> {
    if (request.url === "/ping") return { status: 200, contentType: "text/plain", body: "healthy" };
    if (!this.#hasTokenHeader(request)) throw noToken();
    const members = membersOfGet(request.url);
    if (members === undefined)
      return this.#say(404, "ask /secretsmanager/get?secretId=<name> or /v1/<name>");
    const answer = await this.#run("GetSecretValue", request, members);
    // the Secrets Manager Agent writes the number as a text
    const body = JSON.stringify(answer, (key, value: unknown) =>
      key === "CreatedDate" ? String(value) : value,
    );
    return { status: 200, contentType: "application/json", body };
  }

  #hasTokenHeader({ headers }: GuardedRequest): boolean {
    const given = headers[TOKEN_HEADER];
    return this.#isToken(typeof given === "string" ? given : undefined);
  }

  async #run(
    operation: OperationName,
    { headers, signal }: GuardedRequest,
    members: Asked["members"],
  ): Promise<object> {
    const asked: Asked = {
      members,
      region: regionIn(headers),
      signal,
      onRead: (name) => this.#onEvent({ kind: "secret-read", operation, name }),
    };
    return OPERATIONS[operation](asked, this.#served);
  }

  #sayError(error: unknown): GuardedAnswer {
    const { status, code, message } = secretErrorOf(error);
    this.#onEvent({ kind: "secret-refused", status, message });
    return {
      status,
      contentType: JSON_1_1,
      headers: { ...ids(), "x-amzn-errortype": code },
      body: JSON.stringify({ __type: code, Message: message, message }),
    };
  }

  #say(status: number, message: string): GuardedAnswer {
    this.#onEvent({ kind: "secret-refused", status, message });
    return { status, contentType: "text/plain", body: `${message}\n` };
  }
}

const ids = (): Record<string, string> => ({ "x-amzn-requestid": randomUUID() });

const noToken = (): SecretError =>
  new SecretError(
    "AccessDeniedException",
    "no token of the agent's token file: end the endpoint's URL with /<token>, or send X-Aws-Parameters-Secrets-Token",
  );
