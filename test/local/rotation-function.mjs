/*
 * Rotation functions as others write them, who know of nothing here: AWS's own templates for Python,
 * statement by statement. `generic` is SecretsManagerRotationTemplate, `postgres` is
 * SecretsManagerRDSPostgreSQLRotationSingleUser. Neither takes AWSPENDING away.
 */
import {
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import pg from "pg";

const client = new SecretsManagerClient({});

async function secretDict(SecretId, VersionStage, VersionId) {
  const which = VersionId === undefined ? { VersionStage } : { VersionId, VersionStage };
  const answer = await client.send(new GetSecretValueCommand({ SecretId, ...which }));
  return JSON.parse(answer.SecretString);
}

async function createSecret(arn, token) {
  const current = await secretDict(arn, "AWSCURRENT");
  try {
    await secretDict(arn, "AWSPENDING", token);
  } catch (error) {
    if (error.name !== "ResourceNotFoundException") throw error;
    const ask = new GetRandomPasswordCommand({ ExcludeCharacters: ":/@\"'\\" });
    const { RandomPassword } = await client.send(ask);
    await client.send(
      new PutSecretValueCommand({
        SecretId: arn,
        ClientRequestToken: token,
        SecretString: JSON.stringify({ ...current, password: RandomPassword }),
        VersionStages: ["AWSPENDING"],
      }),
    );
  }
}

async function finishSecret(arn, token) {
  const metadata = await client.send(new DescribeSecretCommand({ SecretId: arn }));
  const [current] = Object.entries(metadata.VersionIdsToStages).find(([, stages]) =>
    stages.includes("AWSCURRENT"),
  );
  if (current === token) return;
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId: arn,
      VersionStage: "AWSCURRENT",
      MoveToVersionId: token,
      RemoveFromVersionId: current,
    }),
  );
}

async function connect({ host, port, username, password, dbname }) {
  const session = new pg.Client({
    host,
    port,
    user: username,
    password,
    database: dbname,
    ssl: { rejectUnauthorized: false },
  });
  try {
    await session.connect();
    return session;
  } catch {
    return undefined;
  }
}

async function setSecret(arn, token) {
  const previous = await secretDict(arn, "AWSPREVIOUS").catch(() => undefined);
  const current = await secretDict(arn, "AWSCURRENT");
  const pending = await secretDict(arn, "AWSPENDING", token);
  const already = await connect(pending);
  if (already !== undefined) return already.end();
  if (current.username !== pending.username) throw new Error("Attempting to modify user");
  if (current.host !== pending.host) throw new Error("Attempting to modify user for host");
  const session = (await connect(current)) ?? (previous && (await connect(previous)));
  if (!session) throw new Error("Unable to log into database with previous, current, or pending");
  const user = session.escapeIdentifier(pending.username);
  const password = session.escapeLiteral(pending.password);
  await session.query(`ALTER USER ${user} WITH PASSWORD ${password}`);
  return session.end();
}

async function testSecret(arn, token) {
  const session = await connect(await secretDict(arn, "AWSPENDING", token));
  if (session === undefined) throw new Error("Unable to log into database with pending secret");
  await session.query("SELECT NOW()");
  await session.end();
}

const handlerOf = (steps) => async (event) => {
  console.log("event", JSON.stringify(event));
  const { SecretId: arn, ClientRequestToken: token, Step: step } = event;
  const metadata = await client.send(new DescribeSecretCommand({ SecretId: arn }));
  if ("RotationEnabled" in metadata && !metadata.RotationEnabled)
    throw new Error(`Secret ${arn} is not enabled for rotation`);
  const stages = metadata.VersionIdsToStages[token];
  if (stages === undefined) throw new Error(`Secret version ${token} has no stage for rotation`);
  if (stages.includes("AWSCURRENT")) return;
  if (!stages.includes("AWSPENDING"))
    throw new Error(`Secret version ${token} not set as AWSPENDING`);
  if (!(step in steps)) throw new Error("Invalid step parameter");
  await steps[step](arn, token);
};

export const generic = handlerOf({
  createSecret,
  setSecret: async () => {},
  testSecret: async (arn, token) => {
    console.log("tested", JSON.stringify(await secretDict(arn, "AWSPENDING", token)));
  },
  finishSecret,
});

export const postgres = handlerOf({ createSecret, setSecret, testSecret, finishSecret });

/** What a first draft does. */
export const nothing = async () => {};
