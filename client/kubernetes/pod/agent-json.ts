import { formatPath } from "../../../config/schema/problems.ts";
import { ConfigError } from "../../../core/errors.ts";
import { leaseVariable } from "../../../core/names.ts";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { compileContent } from "../../agent/files/content.ts";
import { FileError } from "../../agent/files/file-error.ts";
import { parseConfiguration } from "../../agent/parse-configuration.ts";
import { PREFIX } from "./annotations.ts";
import type { ReportAnnotation } from "./read-annotations.ts";
import type { WantedAgent } from "./wanted.ts";

/** The file in the volume with the token of Secrets Manager's port. */
export const TOKEN_FILE = "secrets-manager-token";

/** What the agent's configuration needs to know of its pod. */
export interface PodSettings {
  readonly healthPort: number | undefined;
  /** The mode of files that have none of their own. Octal. */
  readonly fileMode: string;
  /** Seconds. */
  readonly grace: number;
  /** ARNs of leases that stand in annotations; others are in variables. */
  readonly arns: ReadonlyMap<string, string>;
}

/** The agent's configuration, as agent.json has it. */
export function agentJson(wanted: WantedAgent, pod: PodSettings): object {
  const { path, secretsManager } = wanted;
  const own = `${path}/.agent`;
  const logins = (kind: "lease" | "secret"): object | undefined => {
    const entries = wanted.logins.filter((each) => each.kind === kind);
    if (entries.length === 0) return undefined;
    return Object.fromEntries(
      entries.map(({ name, source, ttl, proxy }) => [
        name,
        {
          ...(kind === "secret" ? { id: source } : { arn: pod.arns.get(name) }),
          ttl,
          proxy:
            proxy === "socket"
              ? { socket: `${path}/${name}` }
              : proxy && { port: proxy, private: true },
        },
      ]),
    );
  };
  const files = wanted.files.map(
    ({ file, from: [first = "", ...more], content, mode, command }) => ({
      path: `${path}/${file}`,
      from: more.length === 0 ? first : [first, ...more],
      ...(content.kind === "format" ? { format: content.format } : { contents: content.text }),
      mode:
        mode ?? (content.kind === "format" && content.format === "pgpass" ? "0600" : pod.fileMode),
      onChange: command && { command },
    }),
  );
  return withoutUndefined({
    leases: logins("lease"),
    secrets: logins("secret"),
    files: files.length === 0 ? undefined : files,
    secretsManager: secretsManager && {
      port: secretsManager,
      tokenFile: `${path}/${TOKEN_FILE}`,
      private: true,
    },
    health: pod.healthPort && { port: pod.healthPort, tokenFile: `${own}/health-token` },
    state: own,
    grace: `${pod.grace}s`,
  });
}

const withoutUndefined = (value: object): object => JSON.parse(JSON.stringify(value)) as object;

/** Any ARN: the variable of a lease is only known in the cluster. */
const SOME_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";

/** Check a configuration as the agent will, templates included. Problems name annotations. */
export async function checkAgentJson(
  json: object,
  wanted: WantedAgent,
  report: ReportAnnotation,
): Promise<void> {
  const environment = Object.fromEntries(
    wanted.logins.map(({ name }) => [leaseVariable(name), SOME_ARN]),
  );
  let configuration: AgentConfiguration;
  try {
    configuration = parseConfiguration(json, { environment, readTemplate: () => "" });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const annotations = annotationsOf(wanted);
    for (const line of error.message.split("\n")) {
      const [path, annotation] = annotations.find(([each]) => line.startsWith(`${each}: `)) ?? [];
      if (path === undefined) report(undefined, line);
      else report(annotation, line.slice(path.length + 2));
    }
    return;
  }
  for (const [index, file] of configuration.files.entries())
    try {
      await compileContent(file);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      const name = wanted.files[index]?.name ?? "";
      report(`${PREFIX}${file.content.kind}-${name}`, error.message);
    }
}

/** Paths of the configuration with the annotations that they come from. */
function annotationsOf({ logins, files }: WantedAgent): readonly (readonly [string, string])[] {
  return [
    ...logins.flatMap(({ kind, name }) => {
      const path = (...keys: readonly string[]) => formatPath([`${kind}s`, name, ...keys]);
      return [
        [path(), `${PREFIX}${kind}-${name}`],
        [path(kind === "lease" ? "arn" : "id"), `${PREFIX}${kind}-${name}`],
        [path("ttl"), `${PREFIX}ttl-${name}`],
        [path("proxy", "port"), `${PREFIX}proxy-${name}`],
        [path("proxy", "socket"), `${PREFIX}proxy-${name}`],
      ] as const;
    }),
    ...files.flatMap(({ name }, index) => {
      const path = (...keys: readonly string[]) => formatPath(["files", index, ...keys]);
      return [
        [path("path"), `${PREFIX}file-${name}`],
        [path("from"), `${PREFIX}from-${name}`],
        [path("format"), `${PREFIX}format-${name}`],
        [path("contents"), `${PREFIX}template-${name}`],
        [path("mode"), `${PREFIX}mode-${name}`],
        [path("onChange", "command"), `${PREFIX}command-${name}`],
      ] as const;
    }),
    ["secretsManager.port", `${PREFIX}secrets-manager`],
  ];
}
