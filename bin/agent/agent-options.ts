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
 * @throws Failure for a port that is none, or half of a pair.
 */
export function writtenFor(
  lease: { readonly name: string; readonly arn: string },
  options: AgentOptions,
): object {
  const { privateLoopback, key, state, ca } = options;
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
      health: { port: health.port, tokenFile: resolve(health.tokenFile) },
    }),
    ...(state !== undefined && { state: resolve(state) }),
    ...(ca !== undefined && { ca: resolve(ca) }),
  };
}

function proxyIn({ port, socket, privateLoopback, passwordFile }: AgentOptions): object {
  if (port === undefined && socket === undefined) return {};
  return {
    proxy: {
      ...(socket !== undefined && { socket: resolve(socket) }),
      ...(port !== undefined && { port: portIn("--port", port) }),
      ...(passwordFile !== undefined && { passwordFile: resolve(passwordFile) }),
      ...(privateLoopback === true && socket === undefined && { private: true }),
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
  return { port: portIn("--secrets-port", secretsPort), tokenFile: resolve(secretsToken) };
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
