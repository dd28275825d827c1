import { join } from "node:path";
import type { AgentConfiguration } from "../../../client/agent/configuration.ts";
import { ALIAS_ARN } from "../../../client/keeper/sources/issuer.ts";
import { ConfigError } from "../../../core/errors.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import type { Environment } from "../doctor-ports.ts";
import type { ProxyAddress, WayQuestion } from "./way-ports.ts";

/** Libpq's name of a socket in its folder. */
const SOCKET = ".s.PGSQL.5432";
const PORT = 5432;

/** What a person said of the way. */
export interface WayOptions {
  /** `<host>` or `<host>:<port>`. */
  readonly host?: string | undefined;
  /** Ports of 127.0.0.1, or folders of Unix sockets. */
  readonly proxy: readonly string[];
  /** The agent's file. */
  readonly config?: string | undefined;
}

/**
 * Where to look, by options, environment and the agent's configuration.
 *
 * @throws Failure for a host or port that is none.
 */
export async function wayQuestion(options: WayOptions, env: Environment): Promise<WayQuestion> {
  const agent = await readAgent(options.config, env);
  const { configuration, error } = agent;
  const arns = [
    ...Object.entries(env).flatMap(([name, value]) =>
      name.startsWith("MAYFLY_LEASE_") && value !== undefined ? [value] : [],
    ),
    ...(configuration?.logins ?? []).flatMap((login) =>
      login.kind === "lease" ? [login.arn] : [],
    ),
  ];
  const regions = new Set(arns.flatMap((arn) => ALIAS_ARN.exec(arn)?.[1] ?? []));
  if (regions.size === 0 && env.AWS_REGION) regions.add(env.AWS_REGION);
  const named = options.proxy.map(proxyIn);
  return {
    regions: [...regions].sort(),
    server: options.host === undefined ? undefined : serverIn(options.host),
    proxies: named.length > 0 ? named : proxiesIn(configuration),
    configurationError: error,
  };
}

interface ReadAgent {
  readonly configuration?: AgentConfiguration | undefined;
  readonly error?: string;
}

async function readAgent(file: string | undefined, env: Environment): Promise<ReadAgent> {
  const { findWritten, readConfiguration } = await import("../../agent/agent-configuration.ts");
  try {
    const written = findWritten(file, env);
    return { configuration: written === undefined ? undefined : readConfiguration(written) };
  } catch (error) {
    if (error instanceof ConfigError) return { error: error.message };
    throw error;
  }
}

const proxiesIn = (configuration: AgentConfiguration | undefined): readonly ProxyAddress[] =>
  (configuration?.logins ?? []).flatMap(({ proxy }): readonly ProxyAddress[] => {
    if (proxy === undefined) return [];
    if (proxy.kind === "socket") return [{ at: join(proxy.folder, SOCKET) }];
    // a free one is in the agent's log alone
    return proxy.port === 0 ? [] : [{ at: proxy.port }];
  });

function proxyIn(text: string): ProxyAddress {
  if (text.startsWith("/")) return { at: join(text, SOCKET) };
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return { at: port };
  throw new Failure(
    Exit.usage,
    `--proxy: ${JSON.stringify(text.slice(0, 60))} is neither a port nor a folder; give the proxy's port, or the folder of its socket from the root`,
  );
}

function serverIn(text: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^([\w.-]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const number = port === undefined ? PORT : Number(port);
  if (host !== undefined && number > 0 && number < 65_536) return { host, port: number };
  throw new Failure(
    Exit.usage,
    `--host: ${JSON.stringify(text.slice(0, 60))} is no host; give <host>, or <host>:<port>`,
  );
}
