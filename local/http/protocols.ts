import type { Session } from "../iam/identity.ts";
import { type AwsError, notImplemented } from "./aws-error.ts";
import { decodeLabel, parseBody } from "./parse-request.ts";
import type { RawRequest } from "./request-schema.ts";

/** A request with known credentials. */
export interface ApiRequest extends RawRequest {
  readonly caller: Session;
}

/** An HTTP response. */
export interface ApiReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** An AWS service behind the gateway, chosen by the service name in the request's signature. */
export interface Service {
  answer(request: ApiRequest): Promise<ApiReply>;
  /** An error in the form the service's clients parse. */
  refuse(error: AwsError): ApiReply;
  /** This service's error code for unknown credentials. */
  readonly unknownCredentials: string;
  /** The error for credentials whose time is over. */
  readonly expiredCredentials: { readonly code: string; readonly status: number };
}

/** What is asked for without a signature: a workload has no credentials yet. */
export interface UnsignedService {
  answers(request: RawRequest): boolean;
  answer(request: RawRequest): Promise<ApiReply>;
  /** The service whose model the request must fit. Undefined if AWS has no model of it. */
  readonly model?: string;
  refuse(error: AwsError): ApiReply;
}

/** One operation: its input as the SDK's types describe it, and the caller. */
export type Operation = (input: object, caller: Session) => unknown;

/** Type an operation's input as the SDK declares it. */
export const operation =
  <Input>(run: (input: Input, caller: Session) => unknown): Operation =>
  (input, caller) =>
    run(input as Input, caller);

/** Dates travel as seconds since the epoch. */
const json = (value: unknown): string =>
  JSON.stringify(value ?? {}, function (this: Record<string, unknown>, name, each: unknown) {
    const original = this[name];
    return original instanceof Date ? original.getTime() / 1_000 : each;
  });

/** A reply of a `restJson1` or `awsJson` service. */
export const jsonReply = (value: unknown, status = 200, headers = {}): ApiReply => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: json(value),
});

/** The errors of services that have, or had, the query protocol. */
const OF_QUERY = {
  unknownCredentials: "InvalidClientTokenId",
  expiredCredentials: { code: "ExpiredToken", status: 403 },
} as const;

/** A service of the awsJson protocols: the operation is in `x-amz-target`. */
export function jsonService(
  name: string,
  operations: Readonly<Record<string, Operation>>,
): Service {
  return {
    unknownCredentials: "UnrecognizedClientException",
    expiredCredentials: { code: "ExpiredTokenException", status: 400 },
    answer: async ({ headers, body, caller }) => {
      const [, wanted = ""] = String(headers["x-amz-target"]).split(".");
      const run = operations[wanted];
      if (run === undefined) throw notImplemented(name, wanted);
      const output = await run(parseBody(body), caller);
      return jsonReply(output, 200, { "content-type": "application/x-amz-json-1.1" });
    },
    refuse: ({ code, message, status, details }) =>
      jsonReply({ __type: code, Message: message, ...details }, status ?? 400, {
        "content-type": "application/x-amz-json-1.1",
      }),
  };
}

/**
 * A service of the awsJson protocol whose errors also carry the codes of its former query protocol.
 *
 * @param queryCodes by the name of the error, where the code is another.
 */
export function queryCompatibleService(
  name: string,
  operations: Readonly<Record<string, Operation>>,
  queryCodes: Readonly<Record<string, string>> = {},
): Service {
  const service = jsonService(name, operations);
  const codes = { AccessDeniedException: "AccessDenied", ...queryCodes };
  return {
    ...service,
    ...OF_QUERY,
    refuse: (error) => {
      const { headers, ...reply } = service.refuse(error);
      const code = Object.hasOwn(codes, error.code) ? Reflect.get(codes, error.code) : error.code;
      const status = code === "AccessDenied" ? 403 : reply.status;
      return { ...reply, status, headers: { ...headers, "x-amzn-query-error": `${code};Sender` } };
    },
  };
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);

/** Each member becomes an element; a list becomes one element for each entry. */
function xml(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (value === null || typeof value !== "object") return escaped(String(value));
  return Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .flatMap(([name, each]) => (Array.isArray(each) ? each : [each]).map((one) => [name, one]))
    .map(([name, each]) => `<${name}>${xml(each)}</${name}>`)
    .join("");
}

const queryReply = (namespace: string, status: number, root: string, value: unknown): ApiReply => ({
  status,
  headers: { "content-type": "text/xml" },
  body: `<${root} xmlns="${namespace}">${xml(value)}</${root}>`,
});

const queryRefusal = (namespace: string, { code, message, status }: AwsError): ApiReply =>
  queryReply(namespace, status ?? (code === "AccessDeniedException" ? 403 : 400), "ErrorResponse", {
    Error: {
      Type: "Sender",
      Code: code === "AccessDeniedException" ? "AccessDenied" : code,
      Message: message,
    },
  });

/** The operation and the members of a form. */
function readForm(body: Buffer): { readonly wanted: string; readonly input: object } {
  const {
    Action: wanted = "",
    Version: _,
    ...input
  } = Object.fromEntries(new URLSearchParams(body.toString()));
  return { wanted, input };
}

/** A service of the awsQuery protocol: a form with `Action`, answered in XML. */
export function queryService(
  name: string,
  namespace: string,
  operations: Readonly<Record<string, Operation>>,
): Service {
  return {
    ...OF_QUERY,
    answer: async ({ body, caller }) => {
      const { wanted, input } = readForm(body);
      const run = operations[wanted];
      if (run === undefined) throw notImplemented(name, wanted);
      const output = await run(input, caller);
      return queryReply(namespace, 200, `${wanted}Response`, { [`${wanted}Result`]: output });
    },
    refuse: (error) => queryRefusal(namespace, error),
  };
}

/** One operation of the awsQuery protocol that nobody signs. */
export const unsignedOperation = <Input>(
  service: string,
  namespace: string,
  operationName: string,
  run: (input: Input) => unknown,
): UnsignedService => ({
  model: service,
  answers: ({ body, method }) => method === "POST" && readForm(body).wanted === operationName,
  answer: async ({ body }) => {
    const output = await run(readForm(body).input as Input);
    const result = { [`${operationName}Result`]: output };
    return queryReply(namespace, 200, `${operationName}Response`, result);
  },
  refuse: (error) => queryRefusal(namespace, error),
});

/** One route of a REST service: `path` captures its variables in named groups. */
export interface Route {
  readonly method: string;
  readonly path: RegExp;
  run(variables: Readonly<Record<string, string>>, request: ApiRequest): Promise<ApiReply>;
}

/** A service of the restJson1 protocol. */
export function restService(name: string, routes: readonly Route[]): Service {
  return {
    unknownCredentials: "UnrecognizedClientException",
    expiredCredentials: { code: "ExpiredTokenException", status: 403 },
    answer: async (request) => {
      const { method, url } = request;
      const route = routes.find((each) => each.method === method && each.path.test(url.pathname));
      if (route === undefined) throw notImplemented(name, `${method} ${url.pathname}`);
      const { groups = {} } = route.path.exec(url.pathname) ?? {};
      const variables = Object.entries(groups).map(([key, value]) => [key, decodeLabel(value)]);
      return route.run(Object.fromEntries(variables), request);
    },
    refuse: ({ code, message, status, details }) =>
      jsonReply({ ...details, message }, status ?? (code === "AccessDeniedException" ? 403 : 400), {
        "x-amzn-errortype": code,
      }),
  };
}
