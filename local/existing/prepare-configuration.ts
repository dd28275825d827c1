import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { loadConfig } from "../../bin/load-config.ts";
import { configToRun } from "../cloudformation/synthesize.ts";
import { type TempFolder, tempFolder } from "../temp-folder.ts";
import { type StartedDatabase, startExisting } from "./start-existing.ts";

/** A SQL file for a database of the configuration. */
export interface SchemaFile {
  /** Its name in the configuration. */
  readonly database: string;
  /** The database on the server. @default - the first that the configuration names */
  readonly dbname?: string | undefined;
  readonly file: string;
}

export interface ConfigurationToRun {
  /** @default - what MAYFLY_CONFIG names, or mayfly.config.ts */
  readonly config?: string | undefined;
  readonly schemas?: readonly SchemaFile[];
  /** Called when a server ends unexpectedly. */
  readonly onDeath: (line: string) => void;
}

/** A configuration whose existing databases run on this machine. */
export interface PreparedConfiguration {
  /** The file to synthesize: the configuration with the addresses of the local servers. */
  readonly configFile: string;
  readonly existing: readonly StartedDatabase[];
  /** The account and Region in the configuration's ARNs. Undefined if there are no ARNs. */
  readonly accountId: string | undefined;
  readonly region: string | undefined;
  /** ARNs of the event buses that the configuration names. */
  readonly buses: readonly string[];
  /** Stop the servers. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Start a server for each existing database of a configuration, so that the configuration can run
 * without the real servers.
 *
 * @throws ConfigError if the configuration has problems; Error if a schema names no existing
 *   database, PostgreSQL refuses a file, or ARNs name several accounts or Regions.
 */
export async function prepareConfiguration(
  options: ConfigurationToRun,
): Promise<PreparedConfiguration> {
  const file = configToRun(options.config);
  const { databases, auditEvents } = await loadConfig(file);
  const { default: written } = (await import(pathToFileURL(file).href)) as {
    readonly default: { readonly databases: Readonly<Record<string, object>> };
  };
  const schemas = options.schemas ?? [];
  for (const { database, dbname } of schemas) {
    const known = databases[database];
    if (known?.target === undefined)
      throw new Error(`--schema ${database}: ${file} has no existing database of that name`);
    if (dbname !== undefined && !known.databases.includes(dbname))
      throw new Error(
        `--schema ${database}/${dbname}: ${database} has the databases ${known.databases.join(", ")}`,
      );
  }
  assertOwnSecrets(databases);
  const text = JSON.stringify(written);
  const existing: StartedDatabase[] = [];
  let folder: TempFolder | undefined;
  const stop = async (): Promise<void> => {
    for (const each of existing.splice(0)) await each.stop();
    folder?.remove();
  };
  try {
    const named = {
      accountId: only("account", text, /arn:[\w-]+:[\w-]+:[\w-]*:(\d{12}):/g),
      region: only("Region", text, /arn:[\w-]+:[\w-]+:([a-z]+-[\w-]+-\d):/g),
      buses: auditEvents === undefined ? [] : [auditEvents.busArn],
    };
    for (const [name, database] of Object.entries(databases)) {
      const { target, databases: dbnames } = database;
      if (target === undefined) continue;
      const files = new Map(
        dbnames.map((dbname, at) => [
          dbname,
          schemas
            .filter((each) => each.database === name)
            .filter((each) => each.dbname === dbname || (each.dbname === undefined && at === 0))
            .map((each) => resolve(each.file)),
        ]),
      );
      const { onDeath } = options;
      existing.push(
        await startExisting(name, { ...database, target }, { schemas: files, onDeath }),
      );
    }
    if (existing.length === 0) return { configFile: file, existing, ...named, stop };
    folder = tempFolder("config");
    const configFile = join(folder.path, "mayfly.config.mjs");
    const rewritten = { ...written, databases: addressed(written.databases, existing) };
    writeFileSync(configFile, `export default ${JSON.stringify(rewritten)};`);
    return { configFile, existing, ...named, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The databases as written, with the addresses of the local servers. */
function addressed(
  databases: Readonly<Record<string, object>>,
  existing: readonly StartedDatabase[],
): Readonly<Record<string, object>> {
  const addresses = existing.map(({ name, server, readers }) => {
    const list = readers.map(({ host, port }) => `${host}:${port}`);
    const isPlain = Reflect.get(databases[name] ?? {}, "tls") === "plaintext";
    const address = {
      host: server.host,
      port: server.port,
      ...(!isPlain && { ca: server.ca }),
      ...(list.length > 0 && { readers: list }),
    };
    return [name, { ...databases[name], ...address }] as const;
  });
  return { ...databases, ...Object.fromEntries(addresses) };
}

/** @throws Error if databases share an administrator's secret: each has its own server here. */
function assertOwnSecrets(databases: Awaited<ReturnType<typeof loadConfig>>["databases"]): void {
  const seen = new Map<string, string>();
  for (const [name, { target }] of Object.entries(databases)) {
    if (target === undefined) continue;
    const other = seen.get(target.adminSecret);
    if (other !== undefined)
      throw new Error(
        `databases ${other} and ${name} have one adminSecret, ${target.adminSecret}; the local runner gives each a server of its own: name another secret for one of them`,
      );
    seen.set(target.adminSecret, name);
  }
}

/** @throws Error if the ARNs name several. */
function only(what: string, text: string, pattern: RegExp): string | undefined {
  const found = [...new Set([...text.matchAll(pattern)].map(([, each]) => each))];
  if (found.length < 2) return found[0];
  throw new Error(
    `the configuration's ARNs name more than one ${what}: ${found.join(", ")}; the local runner has one`,
  );
}
