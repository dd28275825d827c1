import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Account } from "../account.ts";
import type { Identities, Session } from "../iam/identity.ts";
import { AwsError, notImplemented } from "./aws-error.ts";
import {
  type ApiReply,
  jsonReply,
  queryService,
  restService,
  type Service,
  type UnsignedService,
} from "./protocols.ts";
import { checkRequest, type RawRequest } from "./request-schema.ts";

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
  /** For requests without a signature. @default - all of them are refused */
  readonly unsigned?: readonly UnsignedService[];
  /** Milliseconds since the epoch: credentials expire by this clock. */
  readonly now: () => number;
  /** Called with each error of the runner itself. */
  readonly onFault: (line: string) => void;
}

const CREDENTIAL =
  /Credential=(?<key>[^/]+)\/\d{8}\/(?<region>[^/]+)\/(?<service>[^/]+)\/aws4_request/;

/** Services that some clients sign for another Region, whatever theirs is. */
const GLOBAL: readonly string[] = ["iam", "sts"];

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
  const { method = "GET", headers, url = "/" } = request;
  try {
    const body = await bodyOf(request);
    const raw = { method, headers, body, url: new URL(url, "http://aws") };
    if (name === "") return await answerUnsigned(raw, options);
    if (service === undefined)
      throw notImplemented(name, String(headers["x-amz-target"] ?? `${method} ${url}`));
    const caller = bearer(key, request, service, options);
    if (region !== options.account.region && !GLOBAL.includes(name))
      throw new AwsError(
        "InvalidSignatureException",
        `Credential should be scoped to a valid Region, not '${region}'.`,
        { status: 403 },
      );
    await checkRequest(name, raw);
    return await service.answer({ ...raw, caller });
  } catch (error) {
    if (error instanceof AwsError) return (service ?? unknownService(request)).refuse(error);
    const words = error instanceof Error ? error.message : String(error);
    options.onFault(`the local runner failed at a call of ${name || url}: ${words}`);
    return jsonReply({ message: words }, 500, { "x-amzn-errortype": "InternalFailure" });
  }
}

async function answerUnsigned(request: RawRequest, options: GatewayOptions): Promise<ApiReply> {
  const service = options.unsigned?.find((each) => each.answers(request));
  if (service === undefined)
    throw new AwsError("MissingAuthenticationToken", "Missing Authentication Token", {
      status: 403,
    });
  try {
    if (service.model !== undefined) await checkRequest(service.model, request);
    return await service.answer(request);
  } catch (error) {
    if (error instanceof AwsError) return service.refuse(error);
    throw error;
  }
}

function bearer(
  key: string,
  request: IncomingMessage,
  service: Service,
  { identities, now }: GatewayOptions,
): Session {
  const token = request.headers["x-amz-security-token"];
  const session = identities.bearer(key, Array.isArray(token) ? token[0] : token);
  if (session === undefined) {
    const message = "The security token included in the request is invalid.";
    const status = service.unknownCredentials === "InvalidClientTokenId" ? 403 : undefined;
    throw new AwsError(service.unknownCredentials, message, status === undefined ? {} : { status });
  }
  if (now() < session.expiresAt) return session;
  const { code, status } = service.expiredCredentials;
  throw new AwsError(code, "The security token included in the request is expired", { status });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
