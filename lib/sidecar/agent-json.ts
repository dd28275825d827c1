import { Token } from "aws-cdk-lib";
import { parseConfiguration } from "../../client/agent/parse-configuration.ts";
import { AGENT_IMAGE } from "../../core/agent-image.ts";
import { ConfigError } from "../../core/errors.ts";
import { leaseVariable } from "../../core/names.ts";
import type { AgentSidecarProps, SidecarLogin } from "./agent-sidecar-props.ts";
import type { Loopback } from "./task-network.ts";

/** Where libpq looks for a server, unless somebody says otherwise. */
const POSTGRES_PORT = 5_432;

/** Where an application connects to a login's proxy. */
export type ProxyAt =
  | { readonly kind: "port"; readonly port: number }
  /** The folder is below the volume. */
  | { readonly kind: "socket"; readonly folder: string };

/** A login with its name and what it becomes. */
export interface NamedLogin {
  readonly name: string;
  readonly login: SidecarLogin;
  /** Undefined: files or Secrets Manager's port have it. */
  readonly proxy: ProxyAt | undefined;
}

/**
 * The logins of a sidecar, leases first.
 *
 * @throws Error for a port on a loopback that others share.
 */
export function loginsOf(props: AgentSidecarProps, loopback: Loopback): readonly NamedLogin[] {
  const { leases = {}, secrets = {}, files = [], secretsManager } = props;
  const inFiles = new Set(files.flatMap(({ from }) => from));
  return Object.entries({ ...secrets, ...leases }).map(([name, login]) => ({
    name,
    login,
    proxy: proxyOf(name, login, loopback, secretsManager !== undefined || inFiles.has(name)),
  }));
}

function proxyOf(
  name: string,
  { port, socket, variables = [] }: SidecarLogin,
  loopback: Loopback,
  isHandedOut: boolean,
): ProxyAt | undefined {
  if (port !== undefined && socket === true)
    throw new Error(`${name} has a port, ${port}, and a socket; leave one of them out`);
  const needsProxy = !isHandedOut || variables.length > 0;
  if (socket === true || (port === undefined && needsProxy && loopback === "machine"))
    return { kind: "socket", folder: name.replaceAll("/", "-") };
  if (port === undefined && !needsProxy) return undefined;
  if (loopback === "machine")
    throw new Error(
      `${name} has port ${port}, which every program of the machine could use: the network mode is host; write socket: true in place of the port`,
    );
  return { kind: "port", port: port ?? POSTGRES_PORT };
}

/** An ARN that has no value before the deployment is checked as this one. */
const SAMPLE_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--role";
const SAMPLE_SECRET = "sample";

const known = (text: string, sample: string): string => (Token.isUnresolved(text) ? sample : text);

/** The agent's own files and folders, which the volume may have. */
const OWN = { token: "token", healthToken: "health-token", state: "state" } as const;
export const OWN_NAMES: readonly string[] = Object.values(OWN);

/** What the agent in the sidecar reads. @throws Error for a port on a loopback that others share. */
export function agentJson(
  props: AgentSidecarProps,
  logins: readonly NamedLogin[],
  loopback: Loopback,
): SidecarJson {
  const { leases = {}, files = [], secretsManager, ca, grace, healthPort = 9_127 } = props;
  if (secretsManager !== undefined && loopback === "machine")
    throw new Error(
      "secretsManager is a port that every program of the machine could use: the network mode is host; write files, or socket: true",
    );
  const isShared = needsVolume(props, logins);
  return {
    leases: entriesOf(leases, logins, ({ arn, ttl }) => ({
      ...(arn !== undefined && { arn }),
      ...(ttl !== undefined && { ttl: `${ttl.toSeconds()}s` }),
    })),
    secrets: entriesOf(props.secrets ?? {}, logins, ({ secret }) => ({ id: secret.secretArn })),
    files: files.map(({ path, ...file }) => ({ path: `${AGENT_IMAGE.folder}/${path}`, ...file })),
    ...(secretsManager !== undefined && {
      secretsManager: {
        port: secretsManager.port ?? 2_773,
        tokenFile: `${AGENT_IMAGE.folder}/${OWN.token}`,
        private: true,
        ...(secretsManager.clientCache !== undefined && {
          clientCache: `${secretsManager.clientCache.toSeconds()}s`,
        }),
      },
    }),
    health: { port: healthPort, tokenFile: `${AGENT_IMAGE.folder}/${OWN.healthToken}` },
    // without a volume there is nothing that outlives the container
    ...(isShared && { state: `${AGENT_IMAGE.folder}/${OWN.state}` }),
    ...(ca !== undefined && { ca }),
    ...(grace !== undefined && { grace: `${grace.toSeconds()}s` }),
  };
}

/** Whether the application reads what the sidecar writes. */
export const needsVolume = (props: AgentSidecarProps, logins: readonly NamedLogin[]): boolean =>
  (props.files ?? []).length > 0 || logins.some(({ proxy }) => proxy?.kind === "socket");

function entriesOf<T extends SidecarLogin>(
  all: Readonly<Record<string, T>>,
  logins: readonly NamedLogin[],
  written: (login: T) => object,
): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(all).map(([name, login]) => {
      const proxy = logins.find((each) => each.name === name)?.proxy;
      return [
        name,
        {
          ...written(login),
          ...(proxy?.kind === "port" && { proxy: { port: proxy.port, private: true } }),
          ...(proxy?.kind === "socket" && {
            proxy: { socket: `${AGENT_IMAGE.folder}/${proxy.folder}` },
          }),
          ...(login.secretName !== undefined && { secretName: login.secretName }),
        },
      ];
    }),
  );
}

/** The agent's configuration. */
export interface SidecarJson {
  readonly leases: Readonly<Record<string, { readonly arn?: string }>>;
  readonly secrets: Readonly<Record<string, { readonly id?: string }>>;
  readonly secretsManager?: {
    readonly port: number;
    readonly tokenFile: string;
    readonly private: boolean;
    readonly clientCache?: string;
  };
  readonly health: { readonly port: number; readonly tokenFile: string };
  readonly files: readonly object[];
  readonly state?: string;
  readonly ca?: string;
  readonly grace?: string;
}

/** Ports of the loopback. */
export const portsIn = (
  { secretsManager, health }: SidecarJson,
  logins: readonly NamedLogin[],
): readonly number[] => [
  ...logins.flatMap(({ proxy }) => (proxy?.kind === "port" ? [proxy.port] : [])),
  ...(secretsManager === undefined ? [] : [secretsManager.port]),
  health.port,
];

/** Every problem that the agent would find. */
export function jsonProblems(written: SidecarJson): readonly string[] {
  const withValues = {
    ...written,
    leases: mapped(written.leases, ({ arn, ...others }) => ({
      ...others,
      ...(arn !== undefined && { arn: known(arn, SAMPLE_ARN) }),
    })),
    secrets: mapped(written.secrets, ({ id = "", ...others }) => ({
      ...others,
      id: known(id, SAMPLE_SECRET),
    })),
  };
  // addConsumer comes later
  const variables = Object.keys(written.leases).map((name) => [leaseVariable(name), SAMPLE_ARN]);
  try {
    parseConfiguration(withValues, {
      environment: Object.fromEntries(variables),
      readTemplate: () => "",
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return ["the agent would refuse its configuration:", ...error.message.split("\n")];
  }
  return [];
}

const mapped = <T>(
  all: Readonly<Record<string, T>>,
  made: (value: T) => object,
): Readonly<Record<string, object>> =>
  Object.fromEntries(Object.entries(all).map(([name, value]) => [name, made(value)]));
