import type { Command } from "commander";
import { aliasFromEnvironment } from "../../../client/keeper/sources/environment.ts";
import {
  aliasName,
  CONSUMER_NAME,
  DATABASE_NAME,
  leaseVariable,
  ROLE_NAME,
} from "../../../core/names.ts";
import { LEASE_ARGUMENT } from "../../completion/command-tree.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { chosen, readOutputs, roleArnIn, type StackOptions } from "../find.ts";
import { consumersOf } from "./consumers.ts";

/** With these a person says whose grant to use. A workload needs none of them. */
export interface LeaseOptions {
  readonly consumer?: string;
  readonly assume?: boolean;
  readonly stack?: string;
  readonly function?: string;
  /** A PEM file of authorities. */
  readonly ca?: string;
}

/** Give a command the lease's name as its argument, and the options of {@link LeaseOptions}. */
export const withLease = (command: Command): Command =>
  command
    .argument(`[${LEASE_ARGUMENT}]`, "the lease (default: the only one of the environment)")
    .option("--consumer <name>", "the consumer whose grant to use, when a role has several")
    .option("--assume", "assume the consumer's role, if the stack made it")
    .option("--stack <name>", "the stack whose outputs name the function (default: Mayfly)")
    .option("--function <arn>", "the issuer or its alias; the stack is not read")
    .option("--ca <file>", "PEM of the server's authorities (default: those of RDS)");

/** A lease to ask for. */
export interface WantedLease {
  /** The database's and the role's name, e.g. `orders/readonly`. */
  readonly name: string;
  readonly role: string;
  /** The ARN of the issuer's alias. */
  readonly arn: string;
  /** The IAM role to call it as. Undefined: the caller's own. */
  readonly assume: string | undefined;
  /** Whose grant it is. Undefined if the alias's name does not say it. */
  readonly consumer: string | undefined;
  /** A workload's environment has its lease; a person looks for one in a stack. */
  readonly from: "environment" | "stack";
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Which lease a command means: the one that the environment has, or the one of a deployed stack.
 *
 * @param name `<database>/<role>`. Undefined: the only one that the environment has.
 * @throws Failure or KeeperError that says how to name it.
 */
export async function whichLease(
  name: string | undefined,
  options: LeaseOptions,
  env: Environment = process.env,
): Promise<WantedLease> {
  const isOfStack = STACK_OPTIONS.some((option) => options[option] !== undefined);
  if (name === undefined) {
    if (isOfStack)
      throw new Failure(Exit.usage, "name the lease as <database>/<role>, e.g. orders/readonly");
    if (Object.keys(env).some((variable) => variable.startsWith("MAYFLY_LEASE_")))
      return fromAlias(aliasFromEnvironment(undefined, env), undefined);
    throw new Failure(
      Exit.usage,
      "name the lease as <database>/<role>, e.g. orders/readonly; no variable MAYFLY_LEASE_<DATABASE>_<ROLE> names one",
    );
  }
  const names = parseName(name);
  if (!isOfStack && env[leaseVariable(name)])
    return fromAlias(aliasFromEnvironment(name, env), name);
  return fromStack(names, options);
}

const STACK_OPTIONS = ["consumer", "assume", "stack", "function"] as const;

interface Names {
  readonly database: string;
  readonly role: string;
}

function parseName(name: string): Names {
  const [database = "", role = "", ...rest] = name.split("/");
  if (DATABASE_NAME.test(database) && ROLE_NAME.test(role) && rest.length === 0)
    return { database, role };
  throw new Failure(
    Exit.usage,
    `${JSON.stringify(name.slice(0, 40))} is not a lease's name; write <database>/<role>, e.g. orders/readonly`,
  );
}

/** A lease as the environment has it: the alias's name has the role in it. */
function fromAlias(arn: string, name: string | undefined): WantedLease {
  const [, consumer, role = "lease"] = /:([^:]+)--([^:]+)$/.exec(arn) ?? [];
  return { name: name ?? role, role, arn, assume: undefined, consumer, from: "environment" };
}

async function fromStack(names: Names, options: LeaseOptions): Promise<WantedLease> {
  const { database, role } = names;
  const name = `${database}/${role}`;
  const stack: StackOptions = { stack: options.stack ?? "Mayfly", database };
  const isStackRead = options.function === undefined || options.assume === true;
  const outputs = isStackRead ? await outputsFor(name, stack) : new Map<string, string>();
  const given = options.function ?? chosen(outputs, stack).issuer;
  const [, issuer = given, named] = /^(.*):([a-z0-9-]+)--[a-z0-9-]+$/.exec(given) ?? [];
  const mayUse = (consumer: string): boolean =>
    options.assume !== true || roleArnIn(outputs, consumer) !== undefined;
  const consumer =
    checked(options.consumer) ?? named ?? (await onlyConsumer(issuer, name, role, mayUse));
  const assume = options.assume === true ? roleArnIn(outputs, consumer) : undefined;
  if (options.assume === true && assume === undefined)
    throw new Failure(
      Exit.unavailable,
      `stack ${stack.stack} made no role for ${consumer}: check the name, or use its role's credentials without --assume`,
    );
  const arn = `${issuer}:${aliasName(consumer, role)}`;
  return { name, role, arn, assume, consumer, from: "stack" };
}

async function outputsFor(name: string, stack: StackOptions): Promise<ReadonlyMap<string, string>> {
  try {
    return await readOutputs(stack);
  } catch (error) {
    if (!(error instanceof Failure) || error.status !== Exit.notAllowed) throw error;
    throw new Failure(
      Exit.notAllowed,
      `stack ${stack.stack} may not be read (cloudformation:DescribeStacks); pass --function <arn>, or set ${leaseVariable(name)}`,
      { cause: error },
    );
  }
}

function checked(consumer: string | undefined): string | undefined {
  if (consumer === undefined || CONSUMER_NAME.test(consumer)) return consumer;
  throw new Failure(
    Exit.usage,
    `${JSON.stringify(consumer.slice(0, 40))} is not a consumer; give it as the configuration does, e.g. --consumer user-service`,
  );
}

/** The one consumer whose grant can be meant. @throws Failure that says who there is. */
async function onlyConsumer(
  issuer: string,
  name: string,
  role: string,
  mayUse: (consumer: string) => boolean,
): Promise<string> {
  const all = await consumersOf(issuer, role);
  const usable = all.filter(mayUse);
  const [only] = usable;
  if (only !== undefined && usable.length === 1) return only;
  if (all.length === 0)
    throw new Failure(
      Exit.unavailable,
      `${name} is granted to nobody: the role is unknown, or no consumer has it; add it to the configuration and deploy`,
    );
  if (usable.length === 0)
    throw new Failure(
      Exit.unavailable,
      `the stack made no role of a consumer of ${name} (${listed(all)}): use its credentials without --assume`,
    );
  throw new Failure(
    Exit.usage,
    `${name} is granted to ${listed(usable)}; name one with --consumer`,
  );
}

/** As many names as fit into a line. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
