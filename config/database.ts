import { X509Certificate } from "node:crypto";
import { MAINTENANCE_DATABASE, MAX_SHARDS, ROLE_NAME, ROLE_NAME_RULE, TAG } from "../core/names.ts";
import { isCompleteArn } from "./existing-secret.ts";
import type { ParsedDatabase, ParsedHost, ParsedSettings, ParsedTrust } from "./parsed.ts";
import {
  complain,
  isObjectOf,
  type Place,
  readBoolean,
  readList,
  readNamed,
  readText,
  readWhole,
  within,
} from "./place.ts";
import { READER_KEYS, readReaders } from "./readers.ts";
import { readRole } from "./role.ts";
import { readLoginRotation, readSecrets } from "./secret.ts";
import { checkSecrets } from "./secret-checks.ts";
import type { VpcConfig } from "./types.ts";

const DEFAULT_PORT = 5_432;
const DEFAULT_SHARDS = 64;

/** Databases that are not an application's, besides Mayfly's own. */
const RESERVED = ["template0", "template1", "rdsadmin"];

const SETTINGS = [
  "databases",
  "owner",
  "roles",
  "secrets",
  "loginRotation",
  "tag",
  "shards",
  "maintenanceDatabase",
  "reserveConcurrency",
];
const HOST = ["host", "port", "ca", "tls", "adminSecret", "serverId", ...READER_KEYS, "vpc"];
const VPC = ["vpcId", "availabilityZones", "privateSubnetIds", "securityGroupId"];

const NO_VPC = { vpcId: "", availabilityZones: [], privateSubnetIds: [], securityGroupId: "" };

const isName = (text: string): boolean =>
  text !== "" && !text.includes("\0") && Buffer.byteLength(text) <= 63;

const isOwner = (text: string): boolean => isName(text) && !/^(?:mf|pg)_/.test(text);

/** A secret's name, or its complete ARN. */
const isSecret = (text: string): boolean =>
  text.startsWith("arn:") ? isCompleteArn(text) : /^[\w/+=.@!-]{1,512}$/.test(text);

function isPem(text: string): boolean {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
    return blocks.length > 0;
  } catch {
    return false;
  }
}

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);

function readVpc(place: Place): VpcConfig | undefined {
  if (!isObjectOf(place, VPC, `give ${VPC.join(", ")}`)) return undefined;
  const id = (key: string, prefix: string): string =>
    readText(
      within(place, key),
      matches(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`)),
      "is not an id",
      `write an id such as "${prefix}-0123456789abcdef0"`,
    ) ?? "";
  const list = (key: string, pattern: RegExp, example: string): readonly string[] =>
    readList(within(place, key), `list them, e.g. ["${example}"]`, (element) =>
      readText(element, matches(pattern), "is not one", `write it as in "${example}"`),
    );
  const availabilityZones = list("availabilityZones", /^[a-z]{2}-[a-z0-9-]+[a-z]$/, "eu-west-1a");
  const privateSubnetIds = list("privateSubnetIds", /^subnet-[0-9a-f]{8,17}$/, "subnet-0123abcd");
  if (privateSubnetIds.length % Math.max(1, availabilityZones.length) !== 0)
    complain(
      within(place, "privateSubnetIds"),
      `does not divide among ${availabilityZones.length} zones`,
      "list as many subnets for each zone, in the order of the zones",
    );
  return {
    vpcId: id("vpcId", "vpc"),
    availabilityZones,
    privateSubnetIds,
    securityGroupId: id("securityGroupId", "sg"),
  };
}

/** Read how the functions trust the server: `tls` and `ca`. */
export function readTrust(place: Place): ParsedTrust {
  const [tls, ca] = [within(place, "tls"), within(place, "ca")];
  if (ca.value !== undefined)
    readText(ca, isPem, "is not a certificate", "give the PEM text of the roots, not a path");
  if (tls.value !== undefined)
    readText(
      tls,
      (text) => text === "verify-full" || text === "plaintext",
      "is not a way to connect",
      'write "verify-full", or "plaintext" for a server without TLS',
    );
  if (tls.value === "plaintext" && ca.value !== undefined)
    complain(tls, "does not go with ca", "remove ca, or write verify-full");
  return {
    tls: tls.value === "plaintext" ? "plaintext" : "verify-full",
    ...(typeof ca.value === "string" && { ca: ca.value }),
  };
}

function readHost(place: Place): ParsedHost | undefined {
  if (!HOST.some((key) => within(place, key).value !== undefined)) {
    const remedy = "write sandbox: true, or a host with adminSecret and vpc";
    place.problems.push(`${place.path}: neither a sandbox nor a host; ${remedy}`);
    return undefined;
  }
  const vpc = readVpc(within(place, "vpc")) ?? NO_VPC;
  const host =
    readText(
      within(place, "host"),
      matches(/^[A-Za-z0-9.-]{1,253}$/),
      "is not a host name",
      'write the name alone, without protocol or port, e.g. "db.example.com"',
    ) ?? "";
  const port = readWhole(within(place, "port"), 1, 65_535, DEFAULT_PORT);
  const serverId = within(place, "serverId");
  return {
    host,
    port,
    ...readReaders(place, host, port),
    adminSecret:
      readText(
        within(place, "adminSecret"),
        isSecret,
        "is not a secret",
        "write its name or its complete ARN",
      ) ?? "",
    ...(serverId.value !== undefined && {
      serverId:
        readText(
          serverId,
          matches(/^[\x21-\x7e]{1,256}$/),
          "is not a server's id",
          'write 1 to 256 printable characters without spaces, e.g. its DbiResourceId, "db-ABC…"',
        ) ?? "",
    }),
    vpc,
    ...readTrust(place),
  };
}

/** Read what every database has, wherever it is; its roles apart. */
export function readSettings(place: Place): ParsedSettings {
  const tag = within(place, "tag");
  const own = within(place, "maintenanceDatabase");
  const maintenanceDatabase =
    own.value === undefined
      ? MAINTENANCE_DATABASE
      : (readText(
          own,
          (text) =>
            /^[a-z][a-z0-9_]{0,62}$/.test(text) && ![...RESERVED, "postgres"].includes(text),
          "is no name for a database of Mayfly's own",
          `write 1 to 63 of a-z, 0-9 and _, a letter first, and none of ${RESERVED.join(", ")}, postgres`,
        ) ?? "");
  const isOwn = own.value !== undefined;
  const reserved = isOwn ? RESERVED : [maintenanceDatabase, ...RESERVED];
  const elsewhere = isOwn ? "" : `; "maintenanceDatabase" gives Mayfly's own another name`;
  const databases = within(place, "databases");
  if (isOwn && Array.isArray(databases.value) && databases.value.includes(maintenanceDatabase))
    complain(own, "is an application database", "name one that is nobody else's");
  return {
    maintenanceDatabase,
    databases: readList(databases, 'list the application databases, e.g. ["orders"]', (element) =>
      readText(
        element,
        (text) => isName(text) && !reserved.includes(text),
        "is not an application database",
        `write a name of 1 to 63 bytes other than ${reserved.join(", ")}${elsewhere}`,
      ),
    ),
    owner:
      readText(
        within(place, "owner"),
        isOwner,
        "is not an owner of tables",
        'name the PostgreSQL role that owns them, 1 to 63 bytes, no "mf_" or "pg_" in front',
      ) ?? "",
    shards: readWhole(within(place, "shards"), 1, MAX_SHARDS, DEFAULT_SHARDS),
    reserveConcurrency: readBoolean(within(place, "reserveConcurrency"), true),
    ...(tag.value !== undefined && {
      tag: readText(tag, matches(TAG), "is not a tag", "write four of a-z and 2-7") ?? "",
    }),
  };
}

/** The stack makes the sandbox's server: nothing is left to say about it, and it holds one database. */
function checkSandbox(place: Place, { databases }: ParsedSettings): void {
  for (const key of HOST.map((name) => within(place, name)))
    if (key.value !== undefined)
      complain(key, "belongs to a server that exists", "remove it, or remove sandbox");
  if (databases.length > 1)
    complain(within(place, "databases"), "is more than a sandbox makes", "list one database");
}

/** Read one database. */
export function readDatabase(place: Place): ParsedDatabase | undefined {
  const sandbox = within(place, "sandbox");
  const remedy = "describe the database, with sandbox: true or a host";
  if (!isObjectOf(place, ["sandbox", ...HOST, ...SETTINGS], remedy)) return undefined;
  if (sandbox.value !== undefined && sandbox.value !== true)
    complain(sandbox, "is not true", "write true, or remove it and give a host");
  const settings = readSettings(place);
  if (sandbox.value === true) checkSandbox(place, settings);
  const target = sandbox.value === undefined ? readHost(place) : undefined;
  const context = { usersAreMade: true, cluster: target?.cluster !== undefined };
  const secrets = readSecrets(within(place, "secrets"), context);
  checkSecrets(place, secrets, { owner: settings.owner, target });
  return {
    target,
    ...settings,
    secrets,
    loginRotation: readLoginRotation(within(place, "loginRotation")),
    roles: readNamed(
      within(place, "roles"),
      {
        pattern: ROLE_NAME,
        rule: ROLE_NAME_RULE,
        remedy: "give at least one role",
      },
      readRole,
    ),
  };
}
