import { randomUUID } from "node:crypto";
import type { Identities } from "../iam/identity.ts";
import type { Lambda } from "../lambda/lambda.ts";
import type { LambdaFunctions } from "../lambda/lambda-functions.ts";
import type { Json } from "./assembly.ts";
import type { Created, Existing, Resource, ResourceType } from "./resource.ts";

interface CustomResourceOptions {
  readonly functions: LambdaFunctions;
  readonly identities: Identities;
  readonly lambda: Lambda;
  /** The id of the stack as it is now. */
  readonly stackId: () => string;
}

/** The fields that differ between events. */
type Request =
  | { readonly RequestType: "Create" }
  | {
      readonly RequestType: "Update";
      readonly PhysicalResourceId: string;
      readonly OldResourceProperties: unknown;
    }
  | { readonly RequestType: "Delete"; readonly PhysicalResourceId: string };

type Target = Pick<Resource, "logicalId" | "type" | "properties">;

/** Custom resources that only change a network. The runner has no network. */
const HARMLESS = ["Custom::VpcRestrictDefaultSG"];
const PARTICIPLE = { Create: "created", Update: "updated", Delete: "deleted" } as const;

/** As in CDK's framework, a resource whose creation failed gets no Delete. */
export function customResource(options: CustomResourceOptions): ResourceType {
  return {
    changes: { ServiceToken: "replace", "*": "update" },
    create: (resource) => call(options, resource, { RequestType: "Create" }),
    update: (resource, { ref: PhysicalResourceId, properties }: Existing) =>
      call(options, resource, {
        RequestType: "Update",
        PhysicalResourceId,
        OldResourceProperties: stringified(properties),
      }),
    remove: async (resource) => {
      const { ref: PhysicalResourceId } = resource;
      await call(options, resource, { RequestType: "Delete", PhysicalResourceId });
    },
  };
}

/** Whether a type is a custom resource. */
export const isCustomResource = (type: string): boolean =>
  type.startsWith("Custom::") || type === "AWS::CloudFormation::CustomResource";

/**
 * Handle an event like CDK's provider framework. The framework's own code can answer CloudFormation
 * only over HTTPS, so the runner does its work: it calls the handler behind it, with the
 * framework's role and the framework's event.
 *
 * @throws Error with the handler's message if it fails, or for any other custom resource.
 */
async function call(
  options: CustomResourceOptions,
  { logicalId, type, properties }: Target,
  request: Request,
): Promise<Created> {
  if (HARMLESS.includes(type)) return { ref: logicalId };
  const { identities, lambda, stackId } = options;
  const { framework, handler } = behind(options, logicalId, type, properties);
  const RequestId = randomUUID();
  const { outcome } = await lambda.invoke({
    caller: identities.session(framework.role, framework.name),
    functionName: handler,
    type: "RequestResponse",
    payload: JSON.stringify({
      ...request,
      RequestId,
      ResponseURL: "...",
      ServiceToken: properties.ServiceToken,
      StackId: stackId(),
      LogicalResourceId: logicalId,
      ResourceType: type,
      ResourceProperties: stringified(properties),
    }),
  });
  const answer: unknown = JSON.parse(outcome?.payload ?? "null");
  const failed = `${logicalId} was not ${PARTICIPLE[request.RequestType]}`;
  if (outcome?.failed === true)
    throw new Error(`${failed}: ${(answer as { errorMessage: string }).errorMessage}`);
  if (Buffer.byteLength(JSON.stringify(answer)) > 4_096)
    throw new Error(`${failed}: Response object is too long.`);
  const known = "PhysicalResourceId" in request ? request.PhysicalResourceId : RequestId;
  const { PhysicalResourceId: ref = known, Data: attributes = {} } = (answer ?? {}) as {
    PhysicalResourceId?: string;
    Data?: Record<string, unknown>;
  };
  return { ref, attributes };
}

function behind(
  { functions }: CustomResourceOptions,
  logicalId: string,
  type: string,
  { ServiceToken }: Json,
) {
  const { lambda: framework } = functions.target(String(ServiceToken));
  const handler = framework.environment.USER_ON_EVENT_FUNCTION_ARN;
  if (handler !== undefined && framework.environment.USER_IS_COMPLETE_FUNCTION_ARN === undefined)
    return { framework, handler };
  throw new Error(
    `${logicalId}: the local runner only has custom resources behind CDK's Provider with nothing but an onEventHandler; ${type} is not such a resource`,
  );
}

/** CloudFormation sends every scalar of a custom resource as a string. */
function stringified(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stringified);
  if (value === null || typeof value !== "object") return String(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, stringified(each)]));
}
