import { randomUUID } from "node:crypto";
import type { Identities } from "./identity.ts";
import type { Lambda } from "./lambda.ts";
import type { LambdaFunctions } from "./lambda-functions.ts";
import type { Created, Resource } from "./resource.ts";

interface CustomResourceOptions {
  readonly functions: LambdaFunctions;
  readonly identities: Identities;
  readonly lambda: Lambda;
  readonly stackId: string;
}

/** Custom resources that change only a network, which is not there. */
const HARMLESS = ["Custom::VpcRestrictDefaultSG"];

/** Whether a type is a custom resource. */
export const isCustomResource = (type: string): boolean =>
  type.startsWith("Custom::") || type === "AWS::CloudFormation::CustomResource";

/**
 * Create a custom resource of CDK's provider framework. The framework's own code can answer
 * CloudFormation only over HTTPS, so the runner stands in for it: it calls the handler behind it,
 * as the framework's role, with the framework's event.
 *
 * @throws Error with the handler's message when it fails, or for any other custom resource.
 */
export async function createCustomResource(
  { logicalId, type, properties }: Resource,
  { functions, identities, lambda, stackId }: CustomResourceOptions,
): Promise<Created> {
  if (HARMLESS.includes(type)) return { ref: logicalId };
  const { lambda: framework } = functions.target(String(properties.ServiceToken));
  const handler = framework.environment.USER_ON_EVENT_FUNCTION_ARN;
  if (handler === undefined || framework.environment.USER_IS_COMPLETE_FUNCTION_ARN !== undefined)
    throw new Error(
      `${logicalId}: the local runner has custom resources behind CDK's Provider with an onEventHandler alone; ${type} is none`,
    );
  const RequestId = randomUUID();
  const { outcome } = await lambda.invoke({
    caller: identities.session(framework.role, framework.name),
    functionName: handler,
    type: "RequestResponse",
    payload: JSON.stringify({
      RequestType: "Create",
      RequestId,
      ResponseURL: "...",
      ServiceToken: properties.ServiceToken,
      StackId: stackId,
      LogicalResourceId: logicalId,
      ResourceType: type,
      ResourceProperties: stringified(properties),
    }),
  });
  const answer: unknown = JSON.parse(outcome?.payload ?? "null");
  if (outcome?.failed === true)
    throw new Error(
      `${logicalId} was not created: ${(answer as { errorMessage: string }).errorMessage}`,
    );
  if (Buffer.byteLength(JSON.stringify(answer)) > 4_096)
    throw new Error(`${logicalId} was not created: Response object is too long.`);
  const { PhysicalResourceId: ref = RequestId, Data: attributes = {} } = (answer ?? {}) as {
    PhysicalResourceId?: string;
    Data?: Record<string, unknown>;
  };
  return { ref, attributes };
}

/** CloudFormation sends every scalar of a custom resource as a string. */
function stringified(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stringified);
  if (value === null || typeof value !== "object") return String(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, stringified(each)]));
}
