import { constants } from "node:os";
import * as v from "valibot";
import {
  boolean,
  type Field,
  list,
  named,
  object,
  oneOf,
  ruled,
  says,
  text,
  whole,
} from "../../config/schema/fields.ts";
import { writtenLength } from "../../config/schema/length.ts";
import { ALIAS_ARN } from "../keeper/sources/issuer.ts";
import type { FileFormat } from "./configuration.ts";

/** Names of logins: of a lease as in `orders/readonly`, of a secret, or any other. */
const LOGIN_NAME = /^[A-Za-z0-9](?:[\w./-]{0,62}[A-Za-z0-9])?$/;
/** AWS's names of secrets, and the ARNs of secrets. */
const SECRET_ID = /^[\w/+=.@:-]{1,512}$/;
const KEY = /^[\x20-\x7e]{1,128}$/;
const LONGEST_TTL_SECONDS = 366 * 86_400;

const absolutePath = (what: string, example: string): Field<string> =>
  text(
    /^\/(?!.*\0).*[^/\0]$/s,
    `is not the path of ${what}`,
    `write it from the root, e.g. "${example}"`,
  );

const port = (least: number): Field<number> => whole(least, 65_535);

/** A length of time in seconds, within bounds. */
const lengthOf = (least: number, most: number, bounds: string): Field<string, number> =>
  v.pipe(
    writtenLength,
    v.check(
      (length) => length >= least && length <= most,
      says(`is not ${bounds}`, `write ${bounds}`),
    ),
  );

const PROXY_REMEDY =
  'write { "socket": "/run/mayfly/orders" }, or { "port": 5432, "private": true }';

const PROXY = ruled(
  object(
    {
      /** The folder of a Unix socket, for this user alone. */
      socket: v.optional(absolutePath("a folder", "/run/mayfly/orders")),
      /** On 127.0.0.1. 0: a free one, which the log names. */
      port: v.optional(port(0)),
      /** A local password, made if there is none. */
      passwordFile: v.optional(absolutePath("a file", "/run/mayfly/password")),
      /** No password: nobody else is on this loopback. */
      private: v.optional(boolean()),
    },
    PROXY_REMEDY,
  ),
  (
    value: {
      readonly socket?: string;
      readonly port?: number;
      readonly passwordFile?: string;
      readonly private?: boolean;
    },
    report,
  ) => {
    const isOfPort = value.passwordFile !== undefined || value.private === true;
    const isSocket = value.socket !== undefined && value.port === undefined && !isOfPort;
    const isPort =
      value.socket === undefined &&
      value.port !== undefined &&
      (value.passwordFile === undefined) === (value.private === true);
    if (!isSocket && !isPort)
      report([], 'needs a socket, or a port and either passwordFile or "private": true');
  },
);

const loginEntries = {
  /** Where its clients come in. Absent: nowhere. */
  proxy: v.optional(PROXY),
  /** On Secrets Manager's port. Absent: the login's own name; false: it is not there. */
  secretName: v.optional(
    v.union(
      [v.pipe(v.string(), v.regex(/^[\w/+=.@-]{1,512}$/)), v.literal(false)],
      says("is no name of a secret", "write 1 to 512 of A-Z, a-z, 0-9 and /_+=.@-, or false"),
    ),
  ),
};

const LEASE = object(
  {
    /** Of the issuer's alias. Absent: the environment's `MAYFLY_LEASE_…`. */
    arn: v.optional(
      text(
        ALIAS_ARN,
        "is not the ARN of an alias",
        "write arn:aws:lambda:<region>:<account>:function:<name>:<alias>",
      ),
    ),
    /** How long it lives without renewal. Absent: the role's. */
    ttl: v.optional(lengthOf(10, LONGEST_TTL_SECONDS, "10s to 366d")),
    /** Whoever asks with it finds the same lease. Absent: one of the agent's own. */
    key: v.optional(text(KEY, "is no key", "write 1 to 128 printable ASCII characters")),
    /** Others use leases of the key too: they are not revoked at the end. */
    shared: v.optional(boolean(), false),
    ...loginEntries,
  },
  'write {} for a lease that the environment names, or { "arn": "…" }',
);

const SECRET = object(
  {
    id: text(
      SECRET_ID,
      "is no secret",
      'write its name or ARN in Secrets Manager, e.g. "orders-app"',
    ),
    ...loginEntries,
  },
  'write { "id": "…" } with its name or ARN',
);

const LOGIN_NAMES = {
  pattern: LOGIN_NAME,
  rule: 'up to 64 of A-Z, a-z, 0-9 and ./_-, such as "orders/readonly"',
  mayBeEmpty: true,
};

const FORMATS = {
  env: true,
  json: true,
  pgpass: true,
  pg_service: true,
  jdbc: true,
  lines: true,
  ca: true,
} as const satisfies Record<FileFormat, true>;

const isFormat = (value: unknown): value is FileFormat =>
  typeof value === "string" && Object.hasOwn(FORMATS, value);

const word = text(
  (argument) => !argument.includes("\0"),
  "is no argument",
  "write text without a zero byte",
);

const COMMAND_REMEDY = 'write the program and its arguments, e.g. ["systemctl", "reload", "app"]';

const COMMAND = object(
  {
    command: v.pipe(
      v.array(word, says("is no command", COMMAND_REMEDY)),
      v.check(([program = ""]) => program !== "", says("is no command", COMMAND_REMEDY)),
    ),
    /** When it is ended. */
    timeout: v.optional(lengthOf(1, 3_600, "1s to 1h"), "30s"),
  },
  COMMAND_REMEDY,
);

const isSignal = (name: unknown): name is NodeJS.Signals =>
  typeof name === "string" && Object.hasOwn(constants.signals, name);

const SIGNAL = object(
  {
    signal: v.custom<NodeJS.Signals>(
      isSignal,
      says("is no signal", 'write its name, e.g. "SIGHUP"'),
    ),
    pidFile: absolutePath("a file", "/run/app.pid"),
  },
  'write { "signal": "SIGHUP", "pidFile": "/run/app.pid" }',
);

const ON_CHANGE_REMEDY =
  'write { "command": ["reload-app"] } or { "signal": "SIGHUP", "pidFile": "/run/app.pid" }';

const ON_CHANGE = oneOf(
  { command: COMMAND, signal: SIGNAL },
  (value) => (value.signal !== undefined || value.pidFile !== undefined ? "signal" : "command"),
  COMMAND,
  says("is neither a command nor a signal", ON_CHANGE_REMEDY),
);

const loginName = text(LOGIN_NAME, "is no login's name", "name one of leases or secrets");

const FILE = object(
  {
    path: absolutePath("a file", "/run/db/orders.env"),
    /** One login, or several that a template tells apart. */
    from: v.union(
      [loginName, list("name one of leases or secrets", loginName)],
      says("is no login's name", "name one of leases or secrets, or a list of them"),
    ),
    /** One of the three says what is in it. */
    format: v.optional(
      v.custom<FileFormat>(
        isFormat,
        says("is no format", `write one of ${Object.keys(FORMATS).join(", ")}`),
      ),
    ),
    template: v.optional(absolutePath("a template", "/etc/app/orders.hbs")),
    contents: v.optional(v.string(says("is no text", "write a Handlebars template"))),
    mode: v.optional(
      text(/^0?[0-7]{3}$/, "is no mode", 'write permissions in octal, e.g. "0640"'),
      "0600",
    ),
    owner: v.optional(
      text(/^\d{1,9}:\d{1,9}$/, "is no owner", 'write numbers of user and group, e.g. "1000:1000"'),
    ),
    onChange: v.optional(ON_CHANGE),
  },
  'write { "path": "/run/db/orders.env", "from": "orders/readonly", "format": "env" }',
);

const SECRETS_MANAGER = object(
  {
    port: v.optional(port(0), 2_773),
    /** Made if there is none. */
    tokenFile: absolutePath("a file", "/run/mayfly/token"),
    /** Callers of the SDK's protocol need no token: nobody else is on this loopback. */
    private: v.optional(boolean(), false),
    /** For how long clients keep what they have read. */
    clientCache: v.optional(lengthOf(0, 86_400, "0s to 1d"), "1h"),
  },
  'write { "tokenFile": "/run/mayfly/token" }',
);

const HEALTH = object(
  { port: port(0), tokenFile: absolutePath("a file", "/run/mayfly/health-token") },
  'write { "port": 9127, "tokenFile": "/run/mayfly/health-token" }',
);

/** What a user may write, without the rules about several fields. */
export const ENTRIES = object(
  {
    leases: v.optional(
      named(LEASE, { ...LOGIN_NAMES, remedy: 'write { "orders/readonly": {} }' }),
      () => ({}),
    ),
    secrets: v.optional(
      named(SECRET, { ...LOGIN_NAMES, remedy: 'write { "reports": { "id": "…" } }' }),
      () => ({}),
    ),
    files: v.optional(
      v.array(FILE, says("is not a list", "write a list of files, e.g. [{ … }]")),
      () => [],
    ),
    secretsManager: v.optional(SECRETS_MANAGER),
    health: v.optional(HEALTH),
    state: v.optional(absolutePath("a folder", "/run/mayfly/state")),
    ca: v.optional(absolutePath("a PEM file", "/etc/db-ca.pem")),
    /** How long open sessions may go on after SIGTERM. */
    grace: v.optional(lengthOf(0, 3_600, "0s to 1h"), "25s"),
  },
  'write an object, e.g. { "leases": { "orders/readonly": {} }, "files": [] }',
);
