import { InvalidRequestError } from "../../core/errors.ts";
import { shown } from "../../core/leases/lease-id.ts";
import { fieldsOf } from "../../core/leases/requests/lease-request.ts";

const REQUEST_TYPES = ["Create", "Update", "Delete"] as const;

/** The event that CDK's custom resource provider framework sends to an `onEvent` function. */
export interface CustomResourceEvent {
  readonly RequestType: (typeof REQUEST_TYPES)[number];
  /** The stack's ARN, which is never used twice. */
  readonly StackId: string;
  readonly LogicalResourceId: string;
  /** CloudFormation converts every value to a string. */
  readonly ResourceProperties: Readonly<Record<string, unknown>>;
}

/** Parse CloudFormation's event. @throws InvalidRequestError if it is something else. */
export function parseCustomResource(event: unknown): CustomResourceEvent {
  const fields = fieldsOf(event);
  const { RequestType, StackId, LogicalResourceId, ResourceProperties } = fields;
  const type = REQUEST_TYPES.find((each) => each === RequestType);
  if (
    type !== undefined &&
    typeof StackId === "string" &&
    typeof LogicalResourceId === "string" &&
    typeof ResourceProperties === "object" &&
    ResourceProperties !== null
  )
    return {
      RequestType: type,
      StackId,
      LogicalResourceId,
      ResourceProperties: ResourceProperties as Readonly<Record<string, unknown>>,
    };
  throw new InvalidRequestError(
    `RequestType ${shown(RequestType)} and its fields are not those of a custom resource; only CloudFormation calls this function: deploy the stack, or call the operator function`,
  );
}

/**
 * The answer for CloudFormation. The id never changes; otherwise CloudFormation would send a Delete
 * after an update.
 */
export interface CustomResourceResult {
  readonly PhysicalResourceId: string;
}
