/** What CDK's custom resource provider framework hands to an `onEvent` function. */
export interface CustomResourceEvent {
  readonly RequestType: "Create" | "Update" | "Delete";
  /** The stack's ARN, with a part that is never used twice. */
  readonly StackId: string;
  readonly LogicalResourceId: string;
  /** CloudFormation makes every value a string. */
  readonly ResourceProperties: Readonly<Record<string, unknown>>;
}

/** Whether an event came from CloudFormation, and not from the operator function. */
export const isCustomResource = (event: unknown): event is CustomResourceEvent =>
  typeof event === "object" && event !== null && "RequestType" in event;

/** What it expects back. The id never changes, or an update would be followed by a Delete. */
export interface CustomResourceResult {
  readonly PhysicalResourceId: string;
}
