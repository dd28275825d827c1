import { randomUUID } from "node:crypto";
import type { Account } from "../account.ts";
import type { Json } from "../cloudformation/assembly.ts";
import { AwsError } from "../http/aws-error.ts";
import {
  type ApiReply,
  jsonReply,
  type Route,
  restService,
  type Service,
} from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { Identities, Session } from "../iam/identity.ts";
import type { Sqs } from "../sqs/sqs.ts";
import { configurationOf } from "./function-configuration.ts";
import { type AsyncEvent, deliver } from "./lambda-async.ts";
import { policyOf } from "./lambda-function.ts";
import type { LambdaFunctions, Target } from "./lambda-functions.ts";
import type { Outcome } from "./lambda-instance.ts";

/** A call of a function. */
export interface InvokeRequest {
  readonly caller: Session;
  /** Name or ARN, with or without a qualifier. */
  readonly functionName: string;
  readonly qualifier?: string | undefined;
  /** JSON. */
  readonly payload: string;
  readonly type: "RequestResponse" | "Event" | "DryRun";
  readonly clientContext?: string | undefined;
}

/** A call of a function by an AWS service. */
export type ServiceCall = Pick<InvokeRequest, "functionName" | "payload">;

/** The answer to an accepted call. `outcome` is set for `RequestResponse` only. */
export interface InvokeResponse {
  readonly requestId: string;
  readonly version: string;
  readonly outcome?: Outcome;
}

interface LambdaOptions {
  readonly account: Account;
  readonly access: Access;
  readonly functions: LambdaFunctions;
  readonly identities: Identities;
  readonly mappings: { readonly route: Route };
  readonly sqs: Sqs;
  readonly onFault: (line: string) => void;
}

/** AWS Lambda: calls of functions, and what programs read of them. */
export class Lambda {
  readonly #options: LambdaOptions;
  readonly #stopping = new AbortController();
  readonly #deliveries = new Set<Promise<void>>();

  constructor(options: LambdaOptions) {
    this.#options = options;
  }

  get service(): Service {
    return restService("lambda", [...this.#routes, this.#options.mappings.route]);
  }

  readonly #routes: readonly Route[] = [
    {
      method: "POST",
      path: /^\/2015-03-31\/functions\/(?<name>[^/]+)\/invocations$/,
      run: async ({ name = "" }, { url, headers, body, caller }) => {
        const context = headers["x-amz-client-context"];
        const type = (headers["x-amz-invocation-type"] ??
          "RequestResponse") as InvokeRequest["type"];
        const response = await this.invoke({
          caller,
          functionName: name,
          qualifier: url.searchParams.get("Qualifier") ?? undefined,
          payload: body.toString(),
          type,
          clientContext: context && Buffer.from(String(context), "base64").toString(),
        });
        return rendered(type, response);
      },
    },
    {
      method: "GET",
      path: /^\/2015-03-31\/functions\/(?<name>[^/]+)\/aliases$/,
      run: async ({ name = "" }, { caller }) =>
        jsonReply({ Aliases: await this.#listAliases(caller, name) }),
    },
    {
      method: "GET",
      path: /^\/2015-03-31\/functions\/(?<name>[^/]+)\/configuration$/,
      run: async ({ name = "" }, { url, caller }) => {
        const { access, functions } = this.#options;
        const qualifier = url.searchParams.get("Qualifier") ?? undefined;
        const { lambda, arn: resource, ...found } = functions.find(name, qualifier);
        const policy = lambda && policyOf(lambda, found.qualifier);
        const action = "lambda:GetFunctionConfiguration";
        await access.authorize(caller, { action, resource, policy });
        return jsonReply(configurationOf(functions.target(name, qualifier)));
      },
    },
  ];

  /**
   * Call a function, if the caller may.
   *
   * @throws AwsError as the Invoke operation does.
   */
  async invoke(request: InvokeRequest): Promise<InvokeResponse> {
    const { functions } = this.#options;
    await this.authorizeInvoke(request.caller, request.functionName, request.qualifier);
    const target = functions.target(request.functionName, request.qualifier);
    const payload = request.payload === "" ? "{}" : request.payload;
    assertJson(payload);
    const requestId = randomUUID();
    const { version } = target;
    if (request.type === "DryRun") return { requestId, version };
    if (request.type === "Event") {
      this.#queue(target, requestId, payload);
      return { requestId, version };
    }
    const { clientContext } = request;
    const outcome = await target.lambda.pool.run(version, {
      requestId,
      payload,
      invokedArn: target.arn,
      clientContext,
      isInner: functions.hasSession(request.caller),
    });
    return { requestId, version, outcome };
  }

  /**
   * Decide whether a principal may invoke a function. As on AWS, a principal without permission
   * gets AccessDenied, also if the function does not exist.
   *
   * @throws AwsError as the Invoke operation does.
   */
  async authorizeInvoke(caller: Session, name: string, qualifier?: string): Promise<void> {
    const { access, functions } = this.#options;
    const { lambda, arn: resource, ...found } = functions.find(name, qualifier);
    const policy = lambda && policyOf(lambda, found.qualifier);
    await access.authorize(caller, { action: "lambda:InvokeFunction", resource, policy });
  }

  /** The aliases of a function, all on one page. */
  async #listAliases(caller: Session, name: string): Promise<readonly Json[]> {
    const { access, functions } = this.#options;
    const resource = functions.find(name).arn;
    await access.authorize(caller, { action: "lambda:ListAliases", resource });
    const { lambda } = functions.target(name);
    return [...lambda.qualifiers]
      .filter(([qualifier]) => !/^(?:\$LATEST|\d+)$/.test(qualifier))
      .map(([qualifier, version]) => ({
        AliasArn: `${lambda.arn}:${qualifier}`,
        Name: qualifier,
        FunctionVersion: version,
      }));
  }

  /**
   * Call a function asynchronously as an AWS service does, on behalf of one of its resources.
   *
   * @throws AwsError if the function's policy does not allow the service.
   */
  async invokeByService(service: string, sourceArn: string, call: ServiceCall): Promise<void> {
    const target = await this.assertCallableBy(service, sourceArn, call.functionName);
    this.#queue(target, randomUUID(), call.payload);
  }

  /** As `invokeByService`, but wait for the result. */
  async callByService(service: string, sourceArn: string, call: ServiceCall): Promise<Outcome> {
    const target = await this.assertCallableBy(service, sourceArn, call.functionName);
    const { lambda, version, arn: invokedArn } = target;
    const invocation = { requestId: randomUUID(), payload: call.payload, invokedArn };
    return lambda.pool.run(version, invocation);
  }

  /**
   * @throws AwsError if the function does not exist, or if its policy does not allow the service.
   */
  async assertCallableBy(
    service: string,
    sourceArn: string,
    functionName: string,
  ): Promise<Target> {
    const { access, account, functions } = this.#options;
    const target = functions.target(functionName);
    await access.authorizeService(service, {
      action: "lambda:InvokeFunction",
      resource: target.arn,
      policy: policyOf(target.lambda, target.qualifier),
      context: { "aws:SourceArn": sourceArn, "aws:SourceAccount": account.id },
    });
    return target;
  }

  #queue({ lambda, qualifier, version, arn }: Target, requestId: string, payload: string): void {
    const { sqs, identities, onFault } = this.#options;
    const config = lambda.invokeConfigs.get(qualifier || "$LATEST") ?? {};
    const event: AsyncEvent = {
      requestId,
      payload,
      functionArn: qualifier === "" ? `${arn}:$LATEST` : arn,
      executedVersion: version,
      maximumRetryAttempts: Number(config.MaximumRetryAttempts ?? 2),
      maximumEventAgeSeconds: Number(config.MaximumEventAgeInSeconds ?? 21_600),
      onFailure: config.DestinationConfig?.OnFailure?.Destination,
      caller: identities.session(lambda.role, lambda.name),
      run: () => lambda.pool.run(version, { requestId, payload, invokedArn: arn }),
    };
    const delivery = deliver(event, sqs, this.#stopping.signal)
      .catch((error: Error) => {
        if (!this.#stopping.signal.aborted)
          onFault(`an event of ${lambda.name} was lost: ${error.message}`);
      })
      .finally(() => this.#deliveries.delete(delivery));
    this.#deliveries.add(delivery);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#options.functions.stop();
    await Promise.all(this.#deliveries);
  }
}

function assertJson(payload: string): void {
  try {
    JSON.parse(payload);
  } catch (error) {
    throw new AwsError(
      "InvalidRequestContentException",
      `Could not parse request body into json: ${String(error)}`,
      { status: 400, details: { Type: "User" } },
    );
  }
}

function rendered(type: InvokeRequest["type"], response: InvokeResponse): ApiReply {
  const { requestId, version, outcome } = response;
  const headers = {
    "x-amzn-requestid": requestId,
    "x-amz-executed-version": version,
    ...(outcome?.failed === true && { "x-amz-function-error": "Unhandled" }),
  };
  if (outcome !== undefined) return { status: 200, headers, body: outcome.payload };
  return { status: type === "DryRun" ? 204 : 202, headers, body: "" };
}
