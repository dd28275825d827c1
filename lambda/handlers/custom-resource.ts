/** The event that CDK's custom resource provider framework sends to an `onEvent` function. */
export interface CustomResourceEvent {
  readonly RequestType: "Create" | "Update" | "Delete";
  /** The stack's ARN, which is never used twice. */
  readonly StackId: string;
  readonly LogicalResourceId: string;
  /** CloudFormation converts every value to a string. */
  readonly ResourceProperties: Readonly<Record<string, unknown>>;
}

/** Whether an event came from CloudFormation, not from the operator function. */
export const isCustomResource = (event: unknown): event is CustomResourceEvent =>
  typeof event === "object" && event !== null && "RequestType" in event;

/**
 * The answer for CloudFormation. The id never changes; otherwise CloudFormation would send a Delete
 * after an update.
 */
export interface CustomResourceResult {
  readonly PhysicalResourceId: string;
}
