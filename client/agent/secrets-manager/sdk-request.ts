import type { IncomingHttpHeaders } from "node:http";
import { isOperation, OPERATIONS, type OperationName } from "./operations.ts";
import { SecretError } from "./secret-error.ts";

const TARGET = /^secretsmanager\.(\w{1,40})$/;

/** The operation of a request in AWS's JSON 1.1. @throws SecretError */
export function operationIn(headers: IncomingHttpHeaders): OperationName {
  const target = headers["x-amz-target"];
  const [, name] = TARGET.exec(typeof target === "string" ? target : "") ?? [];
  if (name !== undefined && isOperation(name)) return name;
  const known = Object.keys(OPERATIONS).join(", ");
  throw new SecretError(
    "UnknownOperationException",
    name === undefined
      ? "X-Amz-Target must be secretsmanager. and an operation; use an SDK of AWS"
      : `${name} is not implemented here: the agent answers ${known}`,
  );
}

/** The request itself. @throws SecretError */
export function membersIn(body: string): Readonly<Record<string, unknown>> {
  const value = parsed(body);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new SecretError("SerializationException", "the body must be a JSON object");
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // its message may quote the body
  }
}

/** `…Credential=<key>/<date>/<Region>/secretsmanager/…`. The signature is not checked. */
const SCOPE = /Credential=[^/,\s]{1,128}\/\d{8}\/([a-z0-9-]{1,32})\/secretsmanager\//;
const NO_REGION = "us-east-1";

/** The Region that a client signs for: ARNs in the answer are of it. */
export const regionIn = ({ authorization = "" }: IncomingHttpHeaders): string =>
  SCOPE.exec(authorization)?.[1] ?? NO_REGION;
