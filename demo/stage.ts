import { LambdaClient } from "@aws-sdk/client-lambda";
import { assume } from "../bin/aws/assume.ts";
import type { Answer } from "../bin/aws/invoke.ts";
import { outputsOf } from "../bin/aws/stack-outputs.ts";
import type { Narrator } from "./narrator.ts";
import type { DemoTarget } from "./target.ts";

const ISSUER = "OrdersIssuerArn";
const OPERATOR = "OrdersOperatorArn";

/** The stack that the demo needs. */
export const WANTED = "the demo needs the stack of the shipped mayfly.config.ts";

/** What every step works with. */
export interface Stage {
  readonly target: DemoTarget;
  readonly say: Narrator;
  /** An output of the stack. @throws Error for another stack. */
  readonly output: (name: string) => string;
  readonly aliasArn: string;
  readonly operatorArn: string;
  readonly revokerLogs: string;
  readonly userService: LambdaClient;
  readonly reporting: LambdaClient;
  readonly administrator: LambdaClient;
}

/** Find the stack's functions, and assume its consumers' roles. @throws Error for another stack. */
export async function setStage(target: DemoTarget, say: Narrator): Promise<Stage> {
  say.phase("finding the stack's functions and roles");
  const outputs = await outputsOf(target.clients, target.stackName);
  const output = (name: string): string => {
    const value = outputs.get(name);
    if (value === undefined)
      throw new Error(`stack ${target.stackName} has no output ${name}; ${WANTED}`);
    return value;
  };
  return {
    target,
    say,
    output,
    aliasArn: `${output(ISSUER)}:user-service--readonly`,
    operatorArn: output(OPERATOR),
    revokerLogs: output("OrdersRevokerLogGroup"),
    userService: await assume(target.clients, output("UserServiceRoleArn"), "demo"),
    reporting: await assume(target.clients, output("ReportingRoleArn"), "demo"),
    administrator: new LambdaClient(target.clients),
  };
}

/** The answer of a call that succeeded. @throws Error with the function's error. */
export function expectSuccess(answer: Answer): Answer {
  if (answer.errorType === undefined) return answer;
  throw new Error(`${answer.errorType}: ${String(answer.payload.errorMessage)}`);
}
