import { randomUUID } from "node:crypto";
import { KeeperError } from "../../../client/keeper/errors.ts";
import type { Login, SourceFailure } from "../../../client/keeper/keeper.ts";
import type { LeaseSource } from "../../../client/keeper/sources/lease-source.ts";
import {
  type ServerAddress,
  ServerRefusal,
  ServerUnreachable,
} from "../../../client/proxy/server-login.ts";
import { errorFields } from "../../../client/proxy/wire/error-fields.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { broken, doubtful, type Found, fine, unclear } from "../../../core/doctor/found.ts";
import { between, type Instant, iso, minutes, seconds } from "../../../core/time.ts";
import { span } from "../../terminal/table.ts";
import { NoAnswer } from "../doctor-ports.ts";
import type { ProxyAddress, WayPorts, WayQuestion } from "./way-ports.ts";

/** Every check of the way to AWS, to the database and to the agent. */
export const WAY_CHECKS = [
  "lambda-endpoint",
  "clock",
  "lease",
  "database-name",
  "database-port",
  "database-tls",
  "database-login",
  "proxy-port",
  "proxy-login",
  "agent-configuration",
] as const;
type WayCheck = (typeof WAY_CHECKS)[number];

const finding = (check: WayCheck, found: Found): Finding => ({ area: "way", check, ...found });

/** Look at every way. Of a lease that it takes nothing is left. */
export async function lookAtWay(
  ports: WayPorts,
  question: WayQuestion,
): Promise<readonly Finding[]> {
  const [aws, proxies, database] = await Promise.all([
    Promise.all(question.regions.map((region) => lookAtLambda(ports, region))),
    Promise.all(question.proxies.map((proxy) => lookAtProxy(ports, proxy))),
    question.lease === undefined
      ? lookAtServer(ports, question.server)
      : lookWithLease(ports, question.lease),
  ]);
  const isIn = proxies
    .flat()
    .some(({ check, verdict }) => check === "proxy-login" && verdict === "ok");
  // the agent's own login has gone the whole way already
  const own = database.filter(({ verdict }) => !(isIn && verdict === "unknown"));
  const { configurationError: error } = question;
  const unread = error === undefined ? [] : [unreadable(error)];
  return [...aws.flat(), ...own, ...proxies.flat(), ...unread];
}

/** AWS refuses signatures whose time is further off. */
const SIGNED = minutes(5);
/** Ends of leases are computed from the database's clock; logs are compared by this one. */
const NOTED = seconds(30);

const suffixOf = (region: string): string =>
  region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";

async function lookAtLambda(ports: WayPorts, region: string): Promise<readonly Finding[]> {
  const { AWS_ENDPOINT_URL_LAMBDA: own, AWS_ENDPOINT_URL: all } = ports.env;
  const url = own || all || `https://lambda.${region}.${suffixOf(region)}/`;
  try {
    const { date } = await ports.request({ url, method: "GET", headers: {} });
    return [
      finding("lambda-endpoint", fine(url, "answers")),
      ...(date === undefined ? [] : [finding("clock", clockOf(url, date, ports.now()))]),
    ];
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return [finding("lambda-endpoint", unreachableLambda(url, region, error))];
  }
}

/** No route, and a certificate that is not AWS's, have other remedies. */
function unreachableLambda(url: string, region: string, { code, isConnected }: NoAnswer): Found {
  if (isConnected && code !== "ETIMEDOUT")
    return broken(
      url,
      `the connection is made, and TLS fails (${code})`,
      "let no proxy of the network break the TLS of AWS's hosts, or name its authority in NODE_EXTRA_CA_CERTS",
    );
  const isName = code === "ENOTFOUND" || code === "EAI_AGAIN";
  return broken(
    url,
    isName ? `its name is not known here (${code})` : `cannot be reached (${code})`,
    isName
      ? "let the network's DNS resolve it: enableDnsSupport of the VPC, or a DNS policy of the pod that asks the cluster's DNS"
      : `open a way to it: an interface endpoint for com.amazonaws.${region}.lambda with private DNS, or a NAT; and port 443 in the security group's egress`,
  );
}

function clockOf(url: string, date: Instant, now: Instant): Found {
  const skew = Math.max(between(date, now), between(now, date));
  const words = `it is ${iso(now)} here, and ${iso(date)} at AWS`;
  const step =
    "let chrony set this machine's clock, from 169.254.169.123 on EC2; containers have their node's clock";
  if (skew > SIGNED)
    return broken(url, `${words}: AWS refuses signatures that are ${span(SIGNED)} off`, step);
  if (skew > NOTED)
    return doubtful(url, `${words}: ${span(skew)} apart, which short leases do not bear`, step);
  return fine(url, "this machine's clock is AWS's");
}

async function lookAtServer(
  ports: WayPorts,
  server: ServerAddress | undefined,
): Promise<readonly Finding[]> {
  const ask = "mayfly doctor way --lease <database>/<role> issues a lease, logs in and revokes it";
  if (server === undefined)
    return [
      finding(
        "database-login",
        unclear("the database", "nobody said where it is", `${ask}; --host <host> looks without`),
      ),
    ];
  const findings = await lookUpToTls(ports, server, "verify-full");
  if (findings.some(({ verdict }) => verdict === "broken")) return findings;
  return [
    ...findings,
    finding(
      "database-login",
      unclear(addressOf(server), "nobody logged in: no lease was asked for", ask),
    ),
  ];
}

const addressOf = ({ host, port }: ServerAddress): string => `${host}:${port}`;

async function lookUpToTls(
  ports: WayPorts,
  server: ServerAddress,
  tls: Login["tls"],
): Promise<readonly Finding[]> {
  const { host } = server;
  const findings: Finding[] = [];
  try {
    const addresses = await ports.resolve(host);
    findings.push(finding("database-name", fine(host, `is ${addresses.join(", ")}`)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const step =
      "correct the host; or let this network's DNS resolve it: enableDnsSupport of the VPC, and the private zone associated with it";
    return [finding("database-name", broken(host, `has no address here (${code})`, step))];
  }
  try {
    await ports.reach(server);
    findings.push(finding("database-port", fine(addressOf(server), "answers")));
    if (tls === "plaintext") return findings;
  } catch (error) {
    return [...findings, finding("database-port", unreachable(server, error))];
  }
  try {
    const until = await ports.secure(server);
    return [...findings, finding("database-tls", certificate(server, until, ports.now()))];
  } catch (error) {
    return [...findings, finding("database-tls", unreachable(server, error))];
  }
}

/** RDS renews certificates by itself, some weeks ahead. */
const SOON = minutes(14 * 24 * 60);

function certificate(server: ServerAddress, until: Instant, now: Instant): Found {
  const subject = addressOf(server);
  return between(now, until) > SOON
    ? fine(subject, `its certificate is good until ${iso(until)}`)
    : doubtful(
        subject,
        `its certificate ends at ${iso(until)}`,
        "renew it: on RDS, modify-db-instance --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately",
      );
}

const GROUPS =
  "let the security group of the database take this port from the workload's group; and look at routes and network ACLs";

/** Its words say what is wrong and what to do, with a semicolon between. */
function unreachable(server: ServerAddress, error: unknown): Found {
  if (!(error instanceof ServerUnreachable)) throw error;
  const [seen = "", ...remedy] = error.message.split("; ");
  return broken(addressOf(server), seen, remedy.join("; ") || GROUPS);
}

/** Long enough for a login. Should the revocation fail, it ends by itself. */
const LEASE_SECONDS = 60;

const REMEDIES: Readonly<Record<SourceFailure, string>> = {
  denied:
    "let mayfly doctor identity say whether this is the consumer's role; grant the role in the configuration, and deploy",
  absent: "deploy the stack in this Region, or correct the ARN in MAYFLY_LEASE_…",
  limit: "raise maxLeases of the role to twice its replicas, or revoke leases that nobody uses",
  throttled: "try again later; raise the account's Lambda concurrency if it stays",
  unavailable: "look at lambda-endpoint here, and at the issuer's log",
  invalid: "correct the ARN in MAYFLY_LEASE_…, or name the lease as <database>/<role>",
};

async function lookWithLease(ports: WayPorts, source: LeaseSource): Promise<readonly Finding[]> {
  const signal = AbortSignal.timeout(minutes(1));
  const request = { key: `doctor-${randomUUID()}`, ttlSeconds: LEASE_SECONDS };
  let login: Login;
  try {
    ({ login } = await source.issue(request, signal));
  } catch (error) {
    if (!(error instanceof KeeperError)) throw error;
    return [finding("lease", broken(source.name, error.message, REMEDIES[error.failure]))];
  }
  try {
    return await lookWithLogin(ports, login, source.name);
  } finally {
    await source.revoke(login.id, AbortSignal.timeout(minutes(1)));
  }
}

async function lookWithLogin(
  ports: WayPorts,
  login: Login,
  issuer: string,
): Promise<readonly Finding[]> {
  const { host, port, dbname, username } = login;
  const subject = `${host}:${port}/${dbname}`;
  const issued = finding("lease", fine(issuer, `issued ${login.id}, which is revoked now`));
  const findings = [issued, ...(await lookUpToTls(ports, { host, port }, login.tls))];
  if (findings.some(({ verdict }) => verdict === "broken")) return findings;
  try {
    await ports.logIn(login);
    return [...findings, finding("database-login", fine(subject, `let in ${username}`))];
  } catch (error) {
    return [...findings, finding("database-login", refused(subject, error))];
  }
}

function refused(subject: string, error: unknown): Found {
  if (error instanceof ServerUnreachable) {
    const [seen = "", ...remedy] = error.message.split("; ");
    return broken(subject, seen, remedy.join("; ") || "look at the server's log");
  }
  if (!(error instanceof ServerRefusal)) throw error;
  const words = errorFields(error.response.subarray(5)).get("M") ?? "";
  return broken(subject, `refuses the login: ${error.sqlstate} ${words}`, remedyOf(error.sqlstate));
}

function remedyOf(sqlstate: string): string {
  switch (sqlstate) {
    case "53300":
      return "raise max_connections, or lower maxLeases; mayfly doctor database says who has them";
    case "28000":
      return "let pg_hba.conf take this address over TLS with scram-sha-256; on RDS, rds.force_ssl does not refuse us";
    case "28P01":
      return "the lease was revoked at once, or the host is another server: compare host in the configuration";
    case "3D000":
    case "42501":
      return "mayfly doctor database says what is missing; mayfly converge adds it";
    default:
      return "look at the server's log";
  }
}

const proxyInWords = ({ at }: ProxyAddress): string =>
  typeof at === "number" ? `127.0.0.1:${at}` : at;

async function lookAtProxy(ports: WayPorts, proxy: ProxyAddress): Promise<readonly Finding[]> {
  const subject = proxyInWords(proxy);
  const answer = await ports.askProxy(proxy.at);
  switch (answer.kind) {
    case "nobody":
      return [
        finding(
          "proxy-port",
          broken(
            subject,
            `nobody listens there (${answer.code})`,
            "start the agent, or read its log: kubectl logs -c mayfly, or the task's log",
          ),
        ),
      ];
    case "other":
      return [
        finding(
          "proxy-port",
          broken(
            subject,
            `something else listens there: ${answer.words}`,
            "choose another port for the proxy, or stop the other program (ss -ltnp names it): a database of one's own on 5432, say",
          ),
        ),
      ];
    case "proxy":
      return [
        finding("proxy-port", fine(subject, "is a Mayfly proxy")),
        ...(await lookThrough(ports, proxy, subject)),
      ];
    default:
      return answer satisfies never;
  }
}

async function lookThrough(
  ports: WayPorts,
  { at }: ProxyAddress,
  subject: string,
): Promise<readonly Finding[]> {
  const login = await ports.openSession(at);
  if (login.kind === "password") return [];
  const step =
    "what lease, database-port and database-tls say mends it; the agent's log has each attempt";
  return [
    finding(
      "proxy-login",
      login.kind === "session"
        ? fine(subject, "logs in to the database")
        : broken(subject, login.words, step),
    ),
  ];
}

const unreadable = (error: string): Finding =>
  finding(
    "agent-configuration",
    broken("the agent's configuration", error, "correct it: mayfly agent --check reads it again"),
  );
