import type { IncomingHttpHeaders } from "node:http";
import { NormalizedSchema } from "@smithy/core/schema";
import type { StaticOperationSchema, StaticStructureSchema } from "@smithy/types";
import { AwsError } from "./aws-error.ts";
import { constraintFaults, detected } from "./check-constraints.ts";
import { decodeLabel, parseBody } from "./parse-request.ts";

/**
 * The SDK packages with AWS's models, by the service name in a request's signature. Each is loaded
 * at the first request to its service.
 */
const MODELS: Readonly<Record<string, () => Promise<object>>> = {
  cloudformation: () => import("@aws-sdk/client-cloudformation"),
  events: () => import("@aws-sdk/client-eventbridge"),
  iam: () => import("@aws-sdk/client-iam"),
  lambda: () => import("@aws-sdk/client-lambda"),
  logs: () => import("@aws-sdk/client-cloudwatch-logs"),
  monitoring: () => import("@aws-sdk/client-cloudwatch"),
  rds: () => import("@aws-sdk/client-rds"),
  scheduler: () => import("@aws-sdk/client-scheduler"),
  secretsmanager: () => import("@aws-sdk/client-secrets-manager"),
  sqs: () => import("@aws-sdk/client-sqs"),
  sts: () => import("@aws-sdk/client-sts"),
};

/** A request that was not checked yet. */
export interface RawRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

type Members = Readonly<Record<string, unknown>>;

/** The members that were sent, and the structure that they must have. */
interface Sent {
  readonly operation: string;
  readonly input: NormalizedSchema;
  readonly members: Members;
}

/**
 * Check a request against AWS's model of its operation: SDKs check nothing before they send.
 * Operations without a model are not checked here.
 *
 * @throws AwsError that names every member that is missing, unknown or of the wrong type.
 */
export async function checkRequest(service: string, request: RawRequest): Promise<void> {
  const sent = readRequest((await MODELS[service]?.()) ?? {}, request);
  if (sent === undefined) return;
  const problems = [
    ...faults(sent.input, sent.members, ""),
    ...constraintFaults(service, sent.operation, sent.members),
  ];
  if (problems.length === 0) return;
  throw new AwsError(
    isForm(request) ? "ValidationError" : "ValidationException",
    detected(problems),
    { status: 400 },
  );
}

const isForm = ({ headers }: RawRequest): boolean =>
  headers["content-type"]?.includes("x-www-form-urlencoded") === true;

function readRequest(model: object, request: RawRequest): Sent | undefined {
  const { headers, body } = request;
  const target = headers["x-amz-target"];
  if (target !== undefined) {
    const [, operation = ""] = String(target).split(".");
    const input = inputOf(operationIn(model, operation));
    return input && { operation, input, members: parseBody(body) };
  }
  if (!isForm(request)) return readRest(model, request);
  const { Action, Version: _, ...form } = Object.fromEntries(new URLSearchParams(body.toString()));
  const input = inputOf(operationIn(model, Action));
  return input && { operation: Action ?? "", input, members: nested(form) };
}

/** The operation that a model exports as `<Name>$`. */
const operationIn = (model: object, name = ""): StaticOperationSchema | undefined => {
  const schema: unknown = Reflect.get(model, `${name}$`);
  return isOperation(schema) ? schema : undefined;
};

const OPERATION = 9; // `StaticSchemaIdOperation`

const isOperation = (schema: unknown): schema is StaticOperationSchema =>
  Array.isArray(schema) && schema[0] === OPERATION;

const inputOf = (operation: StaticOperationSchema | undefined): NormalizedSchema | undefined =>
  operation && NormalizedSchema.of(operation[4]);

/** `A.B.1=x` is a member of a member. Only the first name is checked. */
const nested = (form: Readonly<Record<string, string>>): Members =>
  Object.fromEntries(
    Object.entries(form).map(([key, value]) => {
      const [first = "", ...rest] = key.split(".");
      return [first, rest.length === 0 ? value : NOT_LOOKED_AT];
    }),
  );

const NOT_LOOKED_AT = Symbol("not looked at");

/**
 * The operation's traits say which members of a REST request are in path, query, headers or body.
 */
function readRest(model: object, { method, url, headers, body }: RawRequest): Sent | undefined {
  for (const operation of Object.values(model).filter(isOperation)) {
    const [verb, path = ""] = NormalizedSchema.of(operation).getMergedTraits().http ?? [];
    const labels = verb === method ? labelsIn(path, url.pathname) : undefined;
    const input = inputOf(operation);
    if (labels === undefined || input === undefined) continue;
    const members: Record<string, unknown> = { ...labels };
    const query = new Map(url.searchParams);
    let hasPayload = false;
    for (const [name, member] of Object.entries(input.getMemberSchemas())) {
      const { httpQuery, httpHeader, httpPayload } = member.getMergedTraits();
      const header = httpHeader && headers[httpHeader.toLowerCase()];
      const text = httpQuery && query.get(httpQuery);
      if (text !== undefined) members[name] = member.isListSchema() ? NOT_LOOKED_AT : text;
      if (httpQuery !== undefined) query.delete(httpQuery);
      if (header !== undefined) members[name] = header;
      if (httpPayload) hasPayload = true;
    }
    if (!hasPayload && body.length > 0) Object.assign(members, parseBody(body));
    const name = String(operation[2]);
    return { operation: name, input, members: { ...members, ...Object.fromEntries(query) } };
  }
  return undefined;
}

function labelsIn(template: string, path: string): Members | undefined {
  const pattern = template.replace(/\{(\w+)\+?\}/g, (_, name: string) => `(?<${name}>[^/]+)`);
  const match = new RegExp(`^${pattern}/?$`).exec(path);
  if (match === null) return undefined;
  const labels = Object.entries(match.groups ?? {});
  return Object.fromEntries(labels.map(([name, text]) => [name, decodeLabel(text)]));
}

function* faults(schema: NormalizedSchema, value: unknown, where: string): Generator<string> {
  if (value === NOT_LOOKED_AT || schema.isDocumentSchema()) return;
  if (schema.isStructSchema()) yield* structureFaults(schema, value, where);
  else if (schema.isListSchema() || schema.isMapSchema()) {
    if (typeof value !== "object" || value === null) yield `'${where}' is not a collection`;
    else
      for (const [key, each] of Object.entries(value))
        yield* faults(schema.getValueSchema(), each, `${where}.${key}`);
  } else if (!isLeaf(schema, value)) yield `'${where}' is of another type: ${typeof value}`;
}

function* structureFaults(
  schema: NormalizedSchema,
  value: unknown,
  where: string,
): Generator<string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    yield `'${where}' is not a structure`;
    return;
  }
  const at = (name: string): string => (where === "" ? name : `${where}.${name}`);
  const [, , , , names, , required = 0] = schema.getSchema() as StaticStructureSchema;
  for (const name of names.slice(0, required))
    if ((value as Members)[name] === undefined) yield `'${at(name)}' must not be null`;
  for (const [name, each] of Object.entries(value))
    if (!names.includes(name)) yield `'${at(name)}' is no member`;
    else if (each !== null) yield* faults(schema.getMemberSchema(name), each, at(name));
}

/** Forms contain text only. */
function isLeaf(schema: NormalizedSchema, value: unknown): boolean {
  if (schema.isBooleanSchema()) return ["boolean", "string"].includes(typeof value);
  if (schema.isNumericSchema() || schema.isTimestampSchema())
    return ["number", "string"].includes(typeof value);
  return typeof value === "string";
}
