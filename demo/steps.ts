import { invoke } from "../bin/aws/invoke.ts";
import type { Credential } from "../core/leases/credential.ts";
import { logIn, sqlStateOf } from "./login.ts";
import { expectSuccess, type Stage, WANTED } from "./stage.ts";

const LEASE_SECONDS = 10;
const RENEWAL_SECONDS = 12;

/** user-service asks for a login. @throws Error when the stack has other roles. */
export async function ask({ userService, aliasArn, say }: Stage, idempotencyKey: string) {
  say.progress("user-service asks");
  const event = { action: "issue", ttlSeconds: LEASE_SECONDS, idempotencyKey };
  const answering = invoke(userService, aliasArn, event).catch((cause: Error) => {
    const alias = aliasArn.split(":").at(-1);
    throw new Error(`user-service may not call ${alias}: ${cause.name}; ${WANTED}`, { cause });
  });
  const answer = expectSuccess(await answering);
  const credential = answer.payload as unknown as Credential;
  const { milliseconds } = answer;
  say.step(
    "ask",
    `user-service, with its IAM role alone, gets a login for ${LEASE_SECONDS} s (cold start)`,
    milliseconds,
  );
  say.detail(credential.username);
  return { credential, milliseconds };
}

/** The login reads, and may do nothing else. Its session stays open. */
export async function use({ target, say }: Stage, credential: Credential) {
  const start = performance.now();
  const client = await logIn(target, credential);
  const connectMs = performance.now() - start;
  const read = client.query(
    `select (select count(*)::int from public.orders) as orders,
       (select version from pg_stat_ssl where pid = pg_backend_pid()) as tls,
       current_setting('server_version') as server`,
  );
  const selectSqlState = await sqlStateOf(read);
  if (selectSqlState !== undefined)
    throw new Error(`SELECT on public.orders ended with ${selectSqlState}; ${WANTED}`);
  const { rows } = await read;
  const [{ orders, tls, server }] = rows as [{ orders: number; tls: string; server: string }];
  const insertSqlState = await sqlStateOf(client.query("insert into public.orders default values"));
  if (insertSqlState !== "42501")
    throw new Error(`INSERT ended with ${insertSqlState ?? "success"}, not 42501; ${WANTED}`);
  say.step(
    "use",
    `PostgreSQL ${server} over ${tls}: SELECT reads ${orders} rows, INSERT is refused (42501)`,
    connectMs,
  );
  return { client, connectMs, rowsRead: orders, tls, server, insertSqlState };
}

/** Another consumer's policy does not reach user-service's alias. */
export async function denyOther({ reporting, aliasArn, say }: Stage) {
  const start = performance.now();
  const denial = await invoke(reporting, aliasArn, { action: "issue" }).then(
    () => undefined,
    (error: Error) => error,
  );
  if (denial?.name !== "AccessDeniedException")
    throw new Error(`reporting was not denied user-service's alias: ${denial?.message}`);
  const took = performance.now() - start;
  say.step("deny", "reporting calls user-service's alias: IAM says AccessDenied", took);
  say.detail(denial.message.replace(/^.*resource: \S+:/, "…"));
  return { denial: denial.message };
}

/** Asking again after a lost answer gives the same credential. */
export async function replay(
  { userService, aliasArn, say }: Stage,
  key: string,
  first: Credential,
) {
  const event = { action: "issue", ttlSeconds: LEASE_SECONDS, idempotencyKey: key };
  const answer = expectSuccess(await invoke(userService, aliasArn, event));
  const again = answer.payload as unknown as Credential;
  const replayIsSame = again.username === first.username && again.password === first.password;
  if (!replayIsSame) throw new Error("the same idempotency key gave another credential");
  say.step("replay", "the same idempotency key: the same user and password", answer.milliseconds);
  return { replayMs: answer.milliseconds, replayIsSame };
}

/** The lease is made to end later. */
export async function renew(
  { userService, aliasArn, say }: Stage,
  { leaseId, expiresAt }: Credential,
) {
  const event = { action: "renew", leaseId, ttlSeconds: RENEWAL_SECONDS };
  const { payload, milliseconds } = expectSuccess(await invoke(userService, aliasArn, event));
  const renewedUntil = Date.parse(String(payload.expiresAt));
  const renewedBySeconds = (renewedUntil - Date.parse(expiresAt)) / 1_000;
  const [before, after] = [expiresAt, String(payload.expiresAt)].map((time) => time.slice(11, 19));
  say.step(
    "renew",
    `${RENEWAL_SECONDS} s from now: it ends at ${after} UTC instead of ${before}`,
    milliseconds,
  );
  return { renewMs: milliseconds, renewedBySeconds, expiresAt: renewedUntil };
}
