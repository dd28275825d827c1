import { Stack } from "aws-cdk-lib";
import type { ContainerDefinition } from "aws-cdk-lib/aws-ecs";
import type { IRole } from "aws-cdk-lib/aws-iam";
import type { CfnFunction, IFunction, Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { RoleElsewhere } from "../identity/role-elsewhere.ts";

/**
 * What may ask for leases: an IAM role; a function; a container of an ECS task, whose task role asks;
 * or a role whose policies are given elsewhere.
 */
export type Workload = IRole | IFunction | ContainerDefinition | RoleElsewhere;

/** A workload whose environment is defined in this app. */
type Configurable = LambdaFunction | ContainerDefinition;

/** A role, or one whose policies this app cannot change. */
export type Grantee = IRole | RoleElsewhere;

/** Whether the policies of a role are given elsewhere. */
export const isElsewhere = (workload: Workload): workload is RoleElsewhere =>
  "roleElsewhere" in workload;

// not by class: a project may have aws-cdk-lib twice
const isContainer = (workload: Workload): workload is ContainerDefinition =>
  "taskDefinition" in workload;
const isFunction = (workload: Workload): workload is IFunction => "functionArn" in workload;
const isConfigurable = (workload: Workload): workload is Configurable =>
  "addEnvironment" in workload;

/**
 * The role by which a workload asks.
 *
 * @throws Error if a function was imported without its role.
 */
export function roleOf(workload: Workload): Grantee {
  if (isElsewhere(workload)) return workload;
  if (isContainer(workload)) return workload.taskDefinition.taskRole;
  if (!isFunction(workload)) return workload;
  if (workload.role === undefined)
    throw new Error(
      `${workload.node.path} was imported without its role, which asks for leases; pass the role to addConsumer`,
    );
  return workload.role;
}

/**
 * Set a variable in the environment of a function or container. A role has none.
 *
 * @param from what sets it, in messages.
 * @throws Error if the environment is not defined in this app, or has the variable already.
 */
export function setVariable(
  workload: Workload,
  name: string,
  value: string,
  from = "addConsumer",
): void {
  if (isElsewhere(workload) || (!isContainer(workload) && !isFunction(workload))) return;
  const { node } = workload;
  if (!isConfigurable(workload))
    throw new Error(
      `${node.path} is imported, a version or an alias: its environment cannot be set here; pass the function itself, or its role`,
    );
  const present = variablesOf(workload)[name];
  const collision = `${node.path} has two values for ${name}, one of them from ${from}; take the other one out of its environment, or give one of the roles another name`;
  if (present !== undefined) throw new Error(collision);
  workload.addEnvironment(name, value);
  const set = JSON.stringify(Stack.of(workload).resolve(value));
  // otherwise whoever sets it last would win, without a word
  node.addValidation({
    validate: () => (JSON.stringify(variablesOf(workload)[name]) === set ? [] : [collision]),
  });
}

/** The variables that a workload has so far, as the template will have them. */
export function variablesOf(workload: Configurable): Readonly<Record<string, unknown>> {
  const stack = Stack.of(workload);
  if (isContainer(workload)) {
    const { environment } = stack.resolve(workload.renderContainerDefinition()) as {
      readonly environment?: readonly { readonly name: string; readonly value: unknown }[];
    };
    return Object.fromEntries((environment ?? []).map(({ name, value }) => [name, value]));
  }
  const { environment } = workload.node.defaultChild as CfnFunction;
  const { variables } = (stack.resolve(environment) ?? {}) as {
    readonly variables?: Readonly<Record<string, unknown>>;
  };
  return variables ?? {};
}
