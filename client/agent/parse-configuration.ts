import { join } from "node:path/posix";
import type { InferOutput } from "valibot";
import { hasName, type IsFine, orOneOf, type Report, ruled } from "../../config/schema/fields.ts";
import { formatPath, type Key, parse } from "../../config/schema/problems.ts";
import { leaseVariable } from "../../core/names.ts";
import { seconds } from "../../core/time.ts";
import type { Environment } from "../keeper/sources/environment.ts";
import { ALIAS_ARN } from "../keeper/sources/issuer.ts";
import type {
  AgentConfiguration,
  FileConfiguration,
  FileContent,
  OnChange,
  ProxyConfiguration,
} from "./configuration.ts";
import { ENTRIES } from "./configuration-schema.ts";

/** What a configuration is read with. */
export interface ConfigurationReading {
  /** Names the aliases of leases that have no ARN. */
  readonly environment: Environment;
  /** The text of a template's file. Throws the system's error. */
  readonly readTemplate: (path: string) => string;
}

/**
 * Check a configuration of the agent, as `agent.json` has it.
 *
 * @throws ConfigError with every problem, one per line: path, value, remedy.
 */
export function parseConfiguration(
  value: unknown,
  { environment, readTemplate }: ConfigurationReading,
): AgentConfiguration {
  const templates = new Map<string, string>();
  const schema = ruled(ENTRIES, (written: Written, report, isFine) => {
    const logins = loginsIn(written);
    checkNames(logins, report);
    checkAliases(logins, environment, report, isFine);
    checkServers(written, logins, report, isFine);
    checkFiles(written, logins, report, isFine);
    for (const { path, value: template } of templatesIn(written, isFine))
      try {
        templates.set(template, readTemplate(template));
      } catch (error) {
        const { code, name } = error as NodeJS.ErrnoException;
        report(
          path,
          `{value} cannot be read (${code ?? name}); name a template that this user may read`,
        );
      }
  });
  return parse(schema, value, (written) => configured(written, environment, templates));
}

type Written = InferOutput<typeof ENTRIES>;
type WrittenFile = Written["files"][number];
type WrittenLogin = Partial<Written["leases"][string] & Written["secrets"][string]>;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A login, which may have problems of its own. */
interface NamedLogin {
  readonly kind: "leases" | "secrets";
  readonly name: string;
  readonly login: WrittenLogin;
}

const loginsIn = (written: Written): readonly NamedLogin[] =>
  (["leases", "secrets"] as const).flatMap((kind) =>
    Object.entries(isRecord(written[kind]) ? written[kind] : {})
      .filter(([, login]) => isRecord(login))
      .map(([name, login]) => ({ kind, name, login })),
  );

function checkNames(logins: readonly NamedLogin[], report: Report): void {
  if (logins.length === 0)
    report([], 'has neither leases nor secrets; write at least one, e.g. "orders/readonly": {}');
  const leases = logins.filter(({ kind }) => kind === "leases").map(({ name }) => name);
  for (const { kind, name } of logins)
    if (kind === "secrets" && leases.includes(name))
      report(["secrets", name], `"${name}" is a lease too; choose another name for one of them`);
}

/** Of the leases: where they come from, and what their key means. */
function checkAliases(
  logins: readonly NamedLogin[],
  environment: Environment,
  report: Report,
  isFine: IsFine,
): void {
  for (const { kind, name, login } of logins) {
    if (kind !== "leases") continue;
    if (login.shared === true && login.key === undefined && isFine(kind, name, "key"))
      report([kind, name, "key"], "missing; write the key that others use too, or no shared");
    if (login.arn !== undefined || !isFine(kind, name)) continue;
    const variable = leaseVariable(name);
    const arn = environment[variable] ?? "";
    if (arn === "")
      report(
        [kind, name, "arn"],
        `missing, and ${variable} is not set; write the ARN of the issuer's alias, or set the variable`,
      );
    else if (!ALIAS_ARN.test(arn))
      report(
        [kind, name, "arn"],
        `missing, and ${variable} is not the ARN of an alias; set it to arn:aws:lambda:…:function:<name>:<alias>`,
      );
  }
}

/** A thing that only one may have, such as a port. */
interface Claim {
  readonly path: readonly Key[];
  readonly value: string | number;
}

function reportTwice(claims: readonly Claim[], report: Report): void {
  for (const [index, { path, value }] of claims.entries()) {
    const first = claims.slice(0, index).find((each) => each.value === value);
    if (first !== undefined)
      report(path, `${JSON.stringify(value)} is ${formatPath(first.path)} too; choose another`);
  }
}

/** Names on Secrets Manager's port, ports and sockets. */
function checkServers(
  written: Written,
  logins: readonly NamedLogin[],
  report: Report,
  isFine: IsFine,
): void {
  const [ports, sockets, names]: [Claim[], Claim[], Claim[]] = [[], [], []];
  for (const { kind, name, login } of logins) {
    const { proxy, secretName } = login;
    if (isRecord(proxy) && isFine(kind, name, "proxy")) {
      const { port, socket } = proxy;
      if (port !== undefined) ports.push({ path: [kind, name, "proxy", "port"], value: port });
      if (socket !== undefined)
        sockets.push({ path: [kind, name, "proxy", "socket"], value: join(socket) });
    }
    if (!isFine(kind, name, "secretName")) continue;
    const path = [kind, name, "secretName"];
    if (typeof secretName === "string" && written.secretsManager === undefined)
      report(path, "{value} is a name on Secrets Manager's port; write secretsManager too");
    if (secretName !== false) names.push({ path, value: secretName ?? name });
  }
  for (const part of ["secretsManager", "health"] as const) {
    const { port } = isRecord(written[part]) ? written[part] : {};
    if (port !== undefined && isFine(part)) ports.push({ path: [part, "port"], value: port });
  }
  // 0 is a free port
  reportTwice(
    ports.filter(({ value }) => value !== 0),
    report,
  );
  reportTwice(sockets, report);
  if (written.secretsManager !== undefined) reportTwice(names, report);
}

/** What is in each file, and that nothing else is written there. */
function checkFiles(
  written: Written,
  logins: readonly NamedLogin[],
  report: Report,
  isFine: IsFine,
): void {
  const others: readonly Claim[] = [
    ...logins.flatMap(({ kind, name, login }) =>
      isRecord(login.proxy) && typeof login.proxy.passwordFile === "string"
        ? [{ path: [kind, name, "proxy", "passwordFile"], value: login.proxy.passwordFile }]
        : [],
    ),
    ...(["secretsManager", "health"] as const).flatMap((part) =>
      isRecord(written[part]) && typeof written[part].tokenFile === "string"
        ? [{ path: [part, "tokenFile"], value: written[part].tokenFile }]
        : [],
    ),
    ...templatesIn(written, isFine),
    ...(typeof written.ca === "string" ? [{ path: ["ca"], value: written.ca }] : []),
  ];
  const paths: Claim[] = [];
  for (const [index, file] of filesIn(written)) {
    const here = ["files", index];
    if (isFine(...here, "path") && typeof file.path === "string")
      paths.push({ path: [...here, "path"], value: join(file.path) });
    if (isFine(...here, "from")) checkFrom(file, here, logins, report);
    const given = CONTENTS.filter((key) => file[key] !== undefined || !isFine(...here, key));
    if (given.length !== 1)
      report(
        here,
        `needs exactly one of ${CONTENTS.join(", ")}; write what is in it, e.g. "format": "env"`,
      );
  }
  // several may have one token or template; a file of logins is nobody's
  const taken = new Map(others.toReversed().map(({ path, value }) => [join(String(value)), path]));
  for (const { path, value } of paths) {
    const other = taken.get(String(value));
    if (other !== undefined)
      report(path, `${JSON.stringify(value)} is ${formatPath(other)} too; choose another`);
  }
  reportTwice(paths, report);
}

/** More names would be too long for a line. */
const MOST_NAMED = 3;

const CONTENTS = ["format", "template", "contents"] as const;

function checkFrom(
  { from }: WrittenFile,
  here: readonly Key[],
  logins: readonly NamedLogin[],
  report: Report,
): void {
  const known = Object.fromEntries(logins.map(({ name }) => [name, true]));
  const remedy = logins.length > MOST_NAMED ? "name one of them" : orOneOf("write one", known);
  const message = `{value} is neither a lease nor a secret of this configuration; ${remedy}`;
  if (typeof from === "string" && !hasName(known, from)) report([...here, "from"], message);
  if (Array.isArray(from))
    for (const [at, each] of from.entries())
      if (!hasName(known, each)) report([...here, "from", at], message);
}

/** The files, which may have problems of their own. */
const filesIn = (written: Written): readonly (readonly [number, WrittenFile])[] =>
  (Array.isArray(written.files) ? [...written.files.entries()] : []).filter(([, file]) =>
    isRecord(file),
  );

const templatesIn = (written: Written, isFine: IsFine): readonly (Claim & { value: string })[] =>
  filesIn(written).flatMap(([index, { template }]) =>
    template !== undefined && isFine("files", index, "template")
      ? [{ path: ["files", index, "template"], value: template }]
      : [],
  );

function configured(
  { leases, secrets, files, secretsManager, health, state, ca, grace }: Written,
  environment: Environment,
  templates: ReadonlyMap<string, string>,
): AgentConfiguration {
  const served = (name: string, { proxy, secretName }: WrittenLogin) => ({
    name,
    proxy: proxy && proxyIn(proxy),
    secretName:
      secretsManager === undefined || secretName === false ? undefined : (secretName ?? name),
  });
  return {
    logins: [
      ...Object.entries(leases).map(([name, lease]) => ({
        kind: "lease" as const,
        ...served(name, lease),
        arn: lease.arn ?? environment[leaseVariable(name)] ?? "",
        ttl: lease.ttl === undefined ? undefined : seconds(lease.ttl),
        key: lease.key,
        isShared: lease.shared,
      })),
      ...Object.entries(secrets).map(([name, secret]) => ({
        kind: "secret" as const,
        ...served(name, secret),
        id: secret.id,
      })),
    ],
    files: files.map((file) => fileIn(file, templates)),
    secretsManager: secretsManager && {
      port: secretsManager.port,
      tokenFile: secretsManager.tokenFile,
      isPrivate: secretsManager.private,
      clientCache: seconds(secretsManager.clientCache),
    },
    health,
    stateFolder: state,
    ca,
    grace: seconds(grace),
  };
}

function proxyIn({
  socket,
  port = 0,
  passwordFile,
}: NonNullable<WrittenLogin["proxy"]>): ProxyConfiguration {
  if (socket !== undefined) return { kind: "socket", folder: socket };
  if (passwordFile !== undefined) return { kind: "port", port, passwordFile };
  return { kind: "private-port", port };
}

function fileIn(file: WrittenFile, templates: ReadonlyMap<string, string>): FileConfiguration {
  const { path, from, mode, owner, onChange } = file;
  const [user, group] = owner?.split(":").map(Number) ?? [];
  return {
    path,
    from,
    content: contentIn(file, templates),
    mode: Number.parseInt(mode, 8),
    owner: user === undefined || group === undefined ? undefined : { user, group },
    onChange: onChange && onChangeIn(onChange),
  };
}

function contentIn(
  { path, format, template, contents = "" }: WrittenFile,
  templates: ReadonlyMap<string, string>,
): FileContent {
  if (format !== undefined) return { kind: "format", format };
  if (template === undefined) return { kind: "template", text: contents, source: path };
  return { kind: "template", text: templates.get(template) ?? "", source: template };
}

const onChangeIn = (written: NonNullable<WrittenFile["onChange"]>): OnChange =>
  "command" in written
    ? { kind: "command", command: written.command, timeout: seconds(written.timeout) }
    : { kind: "signal", ...written };
