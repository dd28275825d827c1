import { resolve } from "node:path";
import { healthPortIn } from "../proxy/health-port.ts";
import { portIn } from "../proxy/port-option.ts";
import { Exit, Failure } from "../terminal/exit.ts";

/** With these an agent of one lease needs no file. */
export interface AgentOptions {
  readonly port?: string;
  readonly socket?: string;
  readonly privateLoopback?: boolean;
  readonly passwordFile?: string;
  readonly file: readonly string[];
  readonly template: readonly string[];
  readonly secretsPort?: string;
  readonly secretsToken?: string;
  readonly health?: string;
  readonly healthToken?: string;
  readonly state?: string;
  readonly key?: string;
  readonly ca?: string;
}

/**
 * What a configuration would say for the options.
 *
 * @throws Failure for a port or path that is none, or half of a pair.
 */
export function writtenFor(
  lease: { readonly name: string; readonly arn: string },
  options: AgentOptions,
): object {
  const { privateLoopback, key, state, ca, port, socket, passwordFile } = options;
  const isOfPort = passwordFile !== undefined || privateLoopback === true;
  if (port === undefined ? passwordFile !== undefined : !isOfPort)
    throw new Failure(
      Exit.usage,
      "--port needs --password-file or --private-loopback, and --password-file needs --port; give both",
    );
  if (
    port !== undefined &&
    (socket !== undefined || (passwordFile !== undefined && privateLoopback === true))
  )
    throw new Failure(
      Exit.usage,
      "--port goes with --password-file or with --private-loopback, and not with --socket; leave one out",
    );
  const health = healthPortIn(options);
  const secretsManager = secretsPortIn(options);
  return {
    leases: {
      [lease.name]: { arn: lease.arn, ...(key !== undefined && { key }), ...proxyIn(options) },
    },
    files: [
      ...options.file.map((text) => fileIn("--file", "format", text, lease.name)),
      ...options.template.map((text) => fileIn("--template", "template", text, lease.name)),
    ],
    ...(secretsManager !== undefined && {
      secretsManager: { ...secretsManager, private: privateLoopback === true },
    }),
    ...(health !== undefined && {
      health: { port: health.port, tokenFile: pathIn("--health-token", health.tokenFile) },
    }),
    ...(state !== undefined && { state: pathIn("--state", state) }),
    ...(ca !== undefined && { ca: pathIn("--ca", ca) }),
  };
}

function proxyIn({ port, socket, privateLoopback, passwordFile }: AgentOptions): object {
  if (port === undefined && socket === undefined) return {};
  return {
    proxy: {
      ...(socket !== undefined && { socket: pathIn("--socket", socket) }),
      ...(port !== undefined && { port: portIn("--port", port) }),
      ...(passwordFile !== undefined && { passwordFile: pathIn("--password-file", passwordFile) }),
      ...(privateLoopback === true && port !== undefined && { private: true }),
    },
  };
}

function secretsPortIn({ secretsPort, secretsToken }: AgentOptions): object | undefined {
  if (secretsPort === undefined && secretsToken === undefined) return undefined;
  if (secretsPort === undefined || secretsToken === undefined)
    throw new Failure(
      Exit.usage,
      "--secrets-port needs --secrets-token, and the other way round; give the port and the token's file",
    );
  return {
    port: portIn("--secrets-port", secretsPort),
    tokenFile: pathIn("--secrets-token", secretsToken),
  };
}

/** From the root. An empty one would be the folder that we are in. */
function pathIn(option: string, text: string): string {
  if (text !== "") return resolve(text);
  throw new Failure(Exit.usage, `${option}: "" is no path; give one, or leave the option out`);
}

function fileIn(option: string, key: string, text: string, from: string): object {
  const at = text.indexOf(":");
  if (at < 1 || at === text.length - 1)
    throw new Failure(
      Exit.usage,
      `${option}: ${JSON.stringify(text.slice(0, 60))} names no file; give <${key}>:<path>`,
    );
  const first = text.slice(0, at);
  return {
    path: resolve(text.slice(at + 1)),
    from,
    [key]: key === "template" ? resolve(first) : first,
  };
}
