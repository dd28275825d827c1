import { LambdaClient } from "@aws-sdk/client-lambda";
import type { Command } from "commander";
import { pascal } from "../../config/config.ts";
import { aliasName, CONSUMER_NAME, ROLE_NAME } from "../../core/names.ts";
import { assume } from "../aws/assume.ts";
import { PATIENT } from "../aws/clients.ts";
import { invoke } from "../aws/invoke.ts";
import { outputsOf } from "../aws/stack-outputs.ts";
import { Exit, Failure, FunctionFailure, wordsOf } from "./exit.ts";

/** How every command that calls a function is told which. */
export interface PlaceOptions {
  readonly stack: string;
  readonly database?: string;
  readonly function?: string;
  readonly json?: boolean;
}

/** Give a command the options of {@link PlaceOptions}. */
export const withPlace = (command: Command): Command =>
  command
    .option("--stack <name>", "the stack whose outputs name the functions", "Mayfly")
    .option("--database <name>", "the database of the configuration, when the stack has several")
    .option("--function <arn>", "the function itself: the stack is not asked")
    .option("--json", "the answer as one JSON document");

/** One database's functions. */
export interface Functions {
  readonly issuer: string;
  readonly operator: string;
}

type Outputs = ReadonlyMap<string, string>;

/** Databases that have a stack of their own, by the configuration's names. */
const ownStacksIn = (outputs: Outputs): readonly string[] =>
  outputs.get("DatabaseStacks")?.split(",") ?? [];

/**
 * What the stack says of itself and, of those that have a stack of their own, of the database that
 * is meant.
 *
 * @throws Failure when there is no such stack, or it may not be read.
 */
export async function readOutputs({ stack, database }: PlaceOptions): Promise<Outputs> {
  const outputs = await readStack(stack, "name it with --stack");
  const own = ownStacksIn(outputs);
  if (database !== undefined)
    return withStacks(stack, outputs, (name) => pascal(name) === pascal(database));
  const isOnly = own.length === 1 && databasesIn(outputs).size === 0;
  return withStacks(stack, outputs, () => isOnly);
}

/** What the stack says of itself, and the stacks of all its databases. @throws as readOutputs. */
export const readAllOutputs = async ({ stack }: PlaceOptions): Promise<Outputs> =>
  withStacks(stack, await readStack(stack, "name it with --stack"), () => true);

async function withStacks(
  stack: string,
  outputs: Outputs,
  isWanted: (database: string) => boolean,
): Promise<Outputs> {
  const own = ownStacksIn(outputs).filter(isWanted);
  const read = (name: string): Promise<Outputs> =>
    readStack(`${stack}-${name}`, `${name} is in it; deploy it`);
  return new Map([outputs, ...(await Promise.all(own.map(read)))].flatMap((each) => [...each]));
}

async function readStack(stack: string, remedy: string): Promise<Outputs> {
  try {
    return await outputsOf(PATIENT, stack);
  } catch (error) {
    const { name } = error as Error;
    if (name === "ValidationError")
      throw new Failure(
        Exit.unavailable,
        `there is no stack ${stack} in this account and Region; ${remedy}`,
        { cause: error },
      );
    if (name !== "AccessDenied") throw error;
    throw new Failure(
      Exit.notAllowed,
      `${wordsOf(error)}; with --function <arn> the stack is not asked`,
      { cause: error },
    );
  }
}

/** The functions of every database of the stack, by its name as outputs spell it. */
export function databasesIn(outputs: Outputs): ReadonlyMap<string, Functions> {
  const found = new Map<string, Functions>();
  for (const [key, operator] of outputs) {
    const name = /^(\w+)OperatorArn$/.exec(key)?.[1];
    const issuer = name === undefined ? undefined : outputs.get(`${name}IssuerArn`);
    if (name !== undefined && issuer !== undefined) found.set(name, { issuer, operator });
  }
  return found;
}

/** The functions of the database that is meant. @throws Failure that says how to name it. */
export function chosen(outputs: Outputs, { stack, database }: PlaceOptions): Functions {
  const all = databasesIn(outputs);
  const named = new Set([...all.keys(), ...ownStacksIn(outputs).map(pascal)]);
  const names = [...named].join(", ");
  if (named.size === 0)
    throw new Failure(
      Exit.unavailable,
      `stack ${stack} has no outputs <Database>IssuerArn and <Database>OperatorArn: it is no stack of Mayfly's; name another with --stack`,
    );
  const [only] = all.values();
  const found = database === undefined ? named.size === 1 && only : all.get(pascal(database));
  if (found) return found;
  throw database === undefined
    ? new Failure(Exit.usage, `stack ${stack} has the databases ${names}; name one with --database`)
    : new Failure(
        Exit.unavailable,
        `stack ${stack} has no database ${database}; it has ${names}, as outputs spell them`,
      );
}

/** The operator function that is meant. */
export const findOperator = async (options: PlaceOptions): Promise<string> =>
  options.function ?? chosen(await readOutputs(options), options).operator;

/** Whom a command asks as: the caller's own keys, or those of the consumer's role. */
export interface ConsumerOptions extends PlaceOptions {
  readonly assume?: boolean;
}

export const withAssume = (command: Command): Command =>
  withPlace(command).option("--assume", "assume the consumer's role, one that the stack made");

/** Calls of one alias. */
export type Ask = (event: object) => Promise<unknown>;

/**
 * A way to ask one alias.
 *
 * @throws Failure when the names are none, or the stack does not say what is needed.
 */
export async function findAlias(
  options: ConsumerOptions,
  { consumer, role }: { readonly consumer: string; readonly role: string },
): Promise<Ask> {
  if (!CONSUMER_NAME.test(consumer) || !ROLE_NAME.test(role))
    throw new Failure(
      Exit.usage,
      `${JSON.stringify(consumer)} and ${JSON.stringify(role)} are not a consumer and a role; give them as the configuration does, e.g. --consumer user-service --role readonly`,
    );
  const needed = options.assume === true || options.function === undefined;
  const outputs: Outputs = needed ? await readOutputs(options) : new Map();
  const issuer = options.function ?? chosen(outputs, options).issuer;
  const alias = aliasName(consumer, role);
  const arn = issuer.endsWith(`:${alias}`) ? issuer : `${issuer}:${alias}`;
  const client = options.assume
    ? await assume(PATIENT, roleOf(outputs, consumer, options), "mayfly")
    : new LambdaClient(PATIENT);
  return (event) =>
    call(client, arn, event).catch((error: Error) => {
      if (error.name === "AccessDeniedException" && options.assume !== true)
        throw new Failure(
          Exit.notAllowed,
          `${error.message}; only the role of ${consumer} may: use its credentials, or --assume`,
          { cause: error },
        );
      if (error.name !== "ResourceNotFoundException") throw error;
      throw new Failure(
        Exit.unavailable,
        `there is no alias ${arn}: the configuration grants ${consumer} no role ${role}, or was not deployed`,
        { cause: error },
      );
    });
}

function roleOf(outputs: Outputs, consumer: string, { stack }: PlaceOptions): string {
  const output = `${pascal(consumer)}RoleArn`;
  // of very many consumers, all in one
  const arn = outputs.get(output) ?? outputs.get("ConsumerRoleArns")?.replace("*", consumer);
  if (arn !== undefined) return arn;
  throw new Failure(
    Exit.unavailable,
    `stack ${stack} has no output ${output}: it did not make the role of ${consumer}; call as that role, without --assume`,
  );
}

/** Invoke a function. @throws FunctionFailure for what it refuses with. */
export async function call(client: LambdaClient, arn: string, event: object): Promise<unknown> {
  const { payload, errorType } = await invoke(client, arn, event);
  if (errorType === undefined) return payload;
  throw new FunctionFailure(errorType, wordsIn(payload));
}

/** A function's error as it left the runtime; of one that died, the message may be missing. */
function wordsIn(payload: unknown): string {
  const { errorMessage }: { errorMessage?: unknown } = payload ?? {};
  return typeof errorMessage === "string" ? errorMessage : "the function gave no message";
}

/** Ask an operator function. */
export const operatorAt = (arn: string): Ask => {
  const client = new LambdaClient(PATIENT);
  return (event) => call(client, arn, event);
};
