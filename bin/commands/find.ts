import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { Command } from "commander";
import { pascal } from "../../config/outputs.ts";
import { aliasName, CONSUMER_NAME, ROLE_NAME } from "../../core/names.ts";
import { assume } from "../aws/assume.ts";
import { PATIENT } from "../aws/clients.ts";
import { invoke } from "../aws/invoke.ts";
import { outputsOf } from "../aws/stack-outputs.ts";
import { Exit, Failure, FunctionFailure, wordsOf } from "../terminal/exit.ts";

/** The options with which a user says which function a command calls. */
export interface StackOptions {
  readonly stack: string;
  readonly database?: string;
  readonly function?: string;
  readonly json?: boolean;
}

/** Give a command the options of {@link StackOptions}. */
export const withStackOptions = (command: Command): Command =>
  command
    .option("--stack <name>", "the stack whose outputs name the functions", "Mayfly")
    .option("--database <name>", "the database of the configuration, when the stack has several")
    .option("--function <arn>", "the function itself; the stack is not read")
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
 * The outputs of the stack. If the chosen database has a stack of its own, also the outputs of that.
 *
 * @throws Failure if the stack does not exist, or may not be read.
 */
export async function readOutputs({ stack, database }: StackOptions): Promise<Outputs> {
  const outputs = await readStack(stack, "name it with --stack");
  const own = ownStacksIn(outputs);
  if (database !== undefined)
    return withStacks(stack, outputs, (name) => pascal(name) === pascal(database));
  const isOnly = own.length === 1 && databasesIn(outputs).size === 0;
  return withStacks(stack, outputs, () => isOnly);
}

/** The outputs of the stack and of the stacks of all its databases. @throws as readOutputs. */
export const readAllOutputs = async ({ stack }: StackOptions): Promise<Outputs> =>
  withStacks(stack, await readStack(stack, "name it with --stack"), () => true);

/** The stack, and the stacks of its databases, or of the chosen one. @throws as readOutputs. */
export async function stackNamesOf({ stack, database }: StackOptions): Promise<readonly string[]> {
  const outputs = await readStack(stack, "name it with --stack");
  const own = ownStacksIn(outputs).filter(
    (name) => database === undefined || pascal(name) === pascal(database),
  );
  return [stack, ...own.map((name) => `${stack}-${name}`)];
}

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
        `there is no stack ${stack} in this account and Region${regionInWords()}; ${remedy}`,
        { cause: error },
      );
    if (name !== "AccessDenied") throw error;
    throw new Failure(
      Exit.notAllowed,
      `${wordsOf(error)}; with --function <arn> the stack is not read`,
      { cause: error },
    );
  }
}

/** A profile may have the Region too; then whoever wrote the profile knows it. */
const regionInWords = (): string =>
  process.env.AWS_REGION === undefined ? "" : ` (AWS_REGION is ${process.env.AWS_REGION})`;

/** The stack of the chosen database, if it has one of its own. */
export function ownStackOf(
  outputs: Outputs,
  { stack, database }: StackOptions,
): string | undefined {
  const own = ownStacksIn(outputs);
  const name =
    database === undefined ? own[0] : own.find((each) => pascal(each) === pascal(database));
  return name === undefined ? undefined : `${stack}-${name}`;
}

/** The functions of every database, by the database's name as outputs spell it. */
export function databasesIn(outputs: Outputs): ReadonlyMap<string, Functions> {
  const found = new Map<string, Functions>();
  for (const [key, operator] of outputs) {
    const name = /^(\w+)OperatorArn$/.exec(key)?.[1];
    const issuer = name === undefined ? undefined : outputs.get(`${name}IssuerArn`);
    if (name !== undefined && issuer !== undefined) found.set(name, { issuer, operator });
  }
  return found;
}

/** The functions of the chosen database. @throws Failure that says how to name the database. */
export function chosen(outputs: Outputs, { stack, database }: StackOptions): Functions {
  const all = databasesIn(outputs);
  const named = new Set([...all.keys(), ...ownStacksIn(outputs).map(pascal)]);
  const names = [...named].join(", ");
  if (named.size === 0)
    throw new Failure(
      Exit.unavailable,
      `stack ${stack} has no outputs <Database>IssuerArn and <Database>OperatorArn: it is not a Mayfly stack; name another with --stack`,
    );
  const [only] = all.values();
  const found = database === undefined ? named.size === 1 && only : all.get(pascal(database));
  if (found) return found;
  throw database === undefined
    ? new Failure(
        Exit.usage,
        `stack ${stack} has the databases ${names} (spelled as in the outputs); name one with --database`,
      )
    : new Failure(
        Exit.unavailable,
        `stack ${stack} has no database ${database}; it has ${names} (spelled as in the outputs)`,
      );
}

/** The ARN of the operator function of the chosen database. */
export const findOperator = async (options: StackOptions): Promise<string> =>
  options.function ?? chosen(await readOutputs(options), options).operator;

/** With `assume`, a command calls with the consumer's role; without it, with the caller's keys. */
export interface ConsumerOptions extends StackOptions {
  readonly assume?: boolean;
}

export const withAssume = (command: Command): Command =>
  withStackOptions(command).option("--assume", "assume the consumer's role, if the stack made it");

/** Calls of one alias. */
export type Ask = (event: object) => Promise<unknown>;

/**
 * A function that calls one alias.
 *
 * @throws Failure if a name is malformed, or if an output is missing from the stack.
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
    : await lambdaClient();
  return (event) =>
    call(client, arn, event).catch((error: Error) => {
      if (error.name === "AccessDeniedException" && options.assume !== true)
        throw new Failure(
          Exit.notAllowed,
          `${error.message}; only the role of ${consumer} may call this alias: use its credentials, or pass --assume`,
          { cause: error },
        );
      if (error.name !== "ResourceNotFoundException") throw error;
      throw new Failure(
        Exit.unavailable,
        `there is no alias ${arn}: the configuration does not grant ${role} to ${consumer}, or it is not deployed`,
        { cause: error },
      );
    });
}

/** The ARN of the role that the stack made for a consumer, if it made one. */
export const roleArnIn = (outputs: Outputs, consumer: string): string | undefined =>
  // a stack with very many consumers has one output for all of them
  outputs.get(`${pascal(consumer)}RoleArn`) ??
  outputs.get("ConsumerRoleArns")?.replace("*", consumer);

function roleOf(outputs: Outputs, consumer: string, { stack }: StackOptions): string {
  const output = `${pascal(consumer)}RoleArn`;
  const arn = roleArnIn(outputs, consumer);
  if (arn !== undefined) return arn;
  throw new Failure(
    Exit.unavailable,
    `stack ${stack} has no output ${output}: the stack made no role for ${consumer}; check the spelling, or use the credentials of its role, without --assume`,
  );
}

/** Invoke a function. @throws FunctionFailure if the function answers with an error. */
export async function call(client: LambdaClient, arn: string, event: object): Promise<unknown> {
  const { payload, errorType } = await invoke(client, arn, event);
  if (errorType === undefined) return payload;
  throw new FunctionFailure(errorType, wordsIn(payload));
}

/** The message of a function's error. If the function died, there may be no message. */
function wordsIn(payload: unknown): string {
  const { errorMessage }: { errorMessage?: unknown } = payload ?? {};
  return typeof errorMessage === "string" ? errorMessage : "the function gave no message";
}

/** A function that calls an operator function. */
export const operatorAt = (arn: string): Ask => {
  const client = lambdaClient();
  return async (event) => call(await client, arn, event);
};

/** The SDK is loaded when it is used: that takes longer than the rest of the program. */
async function lambdaClient(): Promise<LambdaClient> {
  const sdk = await import("../aws/lambda-sdk.ts");
  return new sdk.LambdaClient(PATIENT);
}
