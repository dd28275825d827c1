import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Account } from "../account.ts";
import type { Identities, Session } from "../iam/identity.ts";
import { AwsError, notImplemented } from "./aws-error.ts";
import { type ApiReply, jsonReply, queryService, restService, type Service } from "./protocols.ts";
import { checkRequest } from "./request-schema.ts";

/** The one HTTP address behind which all services answer. */
export interface Gateway {
  /** For `AWS_ENDPOINT_URL`. */
  readonly endpoint: string;
  stop(): Promise<void>;
}

interface GatewayOptions {
  readonly account: Account;
  readonly identities: Identities;
  /** By the service name in a request's signature. */
  readonly services: Readonly<Record<string, Service>>;
  /** Called with each error of the runner itself. */
  readonly onFault: (line: string) => void;
}

const CREDENTIAL =
  /Credential=(?<key>[^/]+)\/\d{8}\/(?<region>[^/]+)\/(?<service>[^/]+)\/aws4_request/;

/** Answers in a form that clients of unknown services can parse. */
const unknownService = ({ headers }: IncomingMessage): Service =>
  headers["content-type"]?.includes("x-www-form-urlencoded")
    ? queryService("", "", {})
    : restService("", []);

/** Start to answer on a free port of the loopback address. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const server = createServer((request, response) => {
    void answer(request, options).then(({ status, headers, body }) => {
      response.writeHead(status, { "x-amzn-requestid": randomUUID(), ...headers });
      response.end(body);
    });
  });
  // clients keep connections, and closing an idle one could make their next request fail
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, options: GatewayOptions): Promise<ApiReply> {
  const {
    key = "",
    region = "",
    service: name = "",
  } = CREDENTIAL.exec(request.headers.authorization ?? "")?.groups ?? {};
  const service = options.services[name];
  try {
    const body = await bodyOf(request);
    if (name === "")
      throw new AwsError("MissingAuthenticationToken", "Missing Authentication Token", {
        status: 403,
      });
    const { method = "GET", headers, url = "/" } = request;
    if (service === undefined)
      throw notImplemented(name, String(headers["x-amz-target"] ?? `${method} ${url}`));
    const caller = bearer(key, request, service, options.identities);
    if (region !== options.account.region && name !== "sts")
      throw new AwsError(
        "InvalidSignatureException",
        `Credential should be scoped to a valid Region, not '${region}'.`,
        { status: 403 },
      );
    const raw = { method, headers, body, url: new URL(url, "http://aws") };
    checkRequest(name, raw);
    return await service.answer({ ...raw, caller });
  } catch (error) {
    if (error instanceof AwsError) return (service ?? unknownService(request)).refuse(error);
    const words = error instanceof Error ? error.message : String(error);
    options.onFault(`the local runner failed at a call of ${name}: ${words}`);
    return jsonReply({ message: words }, 500, { "x-amzn-errortype": "InternalFailure" });
  }
}

function bearer(
  key: string,
  request: IncomingMessage,
  service: Service,
  known: Identities,
): Session {
  const token = request.headers["x-amz-security-token"];
  const session = known.bearer(key, Array.isArray(token) ? token[0] : token);
  if (session !== undefined) return session;
  const message = "The security token included in the request is invalid.";
  const status = service.unknownCredentials === "InvalidClientTokenId" ? 403 : undefined;
  throw new AwsError(service.unknownCredentials, message, status === undefined ? {} : { status });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
