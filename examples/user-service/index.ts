import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import type { Credential } from "mayfly";
import pg from "pg";

const { ISSUER_ALIAS, AWS_REGION } = process.env;
const lambda = new LambdaClient();
const idempotencyKey = crypto.randomUUID(); // one process, one lease, however often it must ask
const roots = readFileSync(`${import.meta.dirname}/rds-ca/${AWS_REGION}.pem`, "utf8"); // RDS's
const ca = [roots, ...getCACertificates("extra")]; // and those that NODE_EXTRA_CA_CERTS names
let credential: Credential | undefined;

async function ask(): Promise<Credential> {
  const Payload = JSON.stringify({ action: "issue", idempotencyKey });
  const answer = await lambda.send(new InvokeCommand({ FunctionName: ISSUER_ALIAS, Payload }));
  const reply = JSON.parse(answer.Payload?.transformToString() ?? "{}");
  if (answer.FunctionError) throw new Error(`${reply.errorType}: ${reply.errorMessage}`);
  return reply;
}

/** Read a table, as a PostgreSQL user that lives for an hour and is nobody else's. */
export async function handler() {
  if (!credential || Date.now() > Date.parse(credential.refreshAfter)) credential = await ask();
  const { host, port, dbname: database, username: user, password } = credential;
  const client = new pg.Client({ host, port, database, user, password, ssl: { ca } });
  client.on("error", (error) => console.error(error.message)); // Mayfly ends sessions
  try {
    await client.connect();
    const { rows } = await client.query("SELECT id, customer, total_cents FROM public.orders");
    return { user, rows };
  } catch (error) {
    credential = undefined; // it may have been revoked before its time: ask again
    throw error;
  } finally {
    await client.end();
  }
}
