import { NotAllowedError } from "../errors.ts";
import { shown } from "../leases/lease-id.ts";

/** What the operator function may ask of the provisioner. Each operation is an alias of its name. */
export const PROVISIONER_OPERATIONS = ["converge"] as const;
export type ProvisionerOperation = (typeof PROVISIONER_OPERATIONS)[number];

/** The ARN of the alias by which the provisioner does one operation. */
export const operationArn = (functionArn: string, operation: ProvisionerOperation): string =>
  `${functionArn}:${operation}`;

/**
 * What an invocation of the provisioner may do: an operation, by its alias; or `deployment`, which
 * is CloudFormation's Create, Update and Delete, by the function's ARN without a qualifier. Nothing
 * in the event says who sent it, so only `context.invokedFunctionArn` decides.
 *
 * @throws NotAllowedError for `$LATEST`, a version, or another alias.
 */
export function operationOf(invokedFunctionArn: string): ProvisionerOperation | "deployment" {
  const [, , , , , , functionName = "", ...qualifiers] = invokedFunctionArn.split(":");
  const qualifier = qualifiers.join(":");
  if (qualifiers.length === 0) return "deployment";
  const operation = PROVISIONER_OPERATIONS.find((each) => each === qualifier);
  if (operation !== undefined) return operation;
  throw new NotAllowedError(
    `${shown(qualifier)} of function ${functionName} is no operation; call the operator function, which invokes one of its aliases: ${PROVISIONER_OPERATIONS.join(", ")}`,
  );
}
