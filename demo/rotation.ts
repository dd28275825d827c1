import { setTimeout } from "node:timers/promises";
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  InvalidRequestException,
  RotateSecretCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import type { Credential } from "../core/leases/credential.ts";
import type { Kills } from "./kills.ts";
import { logIn, sqlStateOf } from "./login.ts";
import type { Stage } from "./stage.ts";

/** What a client saw while a secret was rotated. */
export interface RotationSeen {
  readonly secret: string;
  readonly logins: number;
  readonly refused: number;
  /** What the server says afterwards to the login that was read before; `undefined`: it is let in. */
  readonly formerSqlState: string | undefined;
  /** From RotateSecret until the new version was current. Unit: milliseconds. */
  readonly rotationMs: number;
  /** How often a function was killed, and the rotation completed all the same. */
  readonly kills: number;
}

/** A secret of the shipped configuration: its name, and how it is rotated. */
interface Shown {
  readonly name: string;
  readonly how: string;
  /** Whether no login may fail at any moment. */
  readonly neverFails: boolean;
}

const SHOWN: readonly Shown[] = [
  { name: "issuer", how: "Mayfly's own logins take turns, each sets its own", neverFails: true },
  { name: "shop", how: "two users of one group take turns", neverFails: true },
  { name: "reports", how: "one user changes its own password", neverFails: false },
  { name: "admin", how: "RDS sets the master user's password", neverFails: false },
];

/** Between the four steps; after the last there is nothing left to do. */
const STEPS = ["createSecret", "setSecret", "testSecret"];
const EVERY_MS = 20;

/** Every secret is rotated while a client works with it, and then while its function is killed. */
export async function rotateAll(stage: Stage): Promise<{ rotations: readonly RotationSeen[] }> {
  const { say, target } = stage;
  say.title(
    `For applications that cannot ask: secrets rotate while a client logs in every ${EVERY_MS} ms`,
  );
  const rotations: RotationSeen[] = [];
  for (const shown of SHOWN) rotations.push(await rotateOne(stage, shown));
  say.step("sessions", "those that were open before a rotation live on, with all four");
  const { machine } = target;
  if (machine === undefined) return { rotations };
  say.title(`The same, with the function killed after ${STEPS.join(", then after ")}`);
  const killed: RotationSeen[] = [];
  for (const seen of rotations)
    killed.push({ ...seen, kills: await killOne(stage, machine.kills, seen.secret) });
  return { rotations: killed };
}

async function rotateOne(stage: Stage, { name, how, neverFails }: Shown): Promise<RotationSeen> {
  const { say } = stage;
  const secret = secretOf(stage, name);
  await secret.waitUntilRotated();
  say.progress(`rotating ${name}`);
  const former = await secret.read();
  const session = await logIn(stage.target, former);
  const client = await startClient(stage, secret);
  const start = performance.now();
  await secret.rotate();
  const rotationMs = performance.now() - start;
  const { logins, refused } = await client.stop();
  const formerSqlState = await sqlStateOf(logIn(stage.target, former).then((c) => c.end()));
  await session.query("select 1"); // a rotation ends no session
  await session.end();
  if (neverFails && (refused > 0 || formerSqlState !== undefined))
    throw new Error(`${name}: ${refused} logins were refused; the former: ${formerSqlState}`);
  say.step("rotate", `${name}: ${how}`, rotationMs);
  const until = refused === 0 ? "" : " (28P01) until it read again";
  const fate = formerSqlState === undefined ? "still logs in" : "logs in no more";
  say.detail(`${logins} logins, ${refused} refused${until}; what was read before ${fate}`);
  return { secret: name, logins, refused, formerSqlState, rotationMs, kills: 0 };
}

async function killOne({ target, ...stage }: Stage, kills: Kills, name: string): Promise<number> {
  const { say } = stage;
  const secret = secretOf({ target, ...stage }, name);
  const before = kills.count;
  const start = performance.now();
  for (const step of STEPS) {
    say.progress(`killing the function of ${name} after ${step}`);
    kills.after(step, secret.arn);
    await secret.rotate();
    const refusal = await sqlStateOf(logIn(target, await secret.read()).then((c) => c.end()));
    if (refusal !== undefined) throw new Error(`${name}: AWSCURRENT is refused (${refusal})`);
  }
  const killed = kills.count - before;
  if (killed !== STEPS.length) throw new Error(`${name}: ${killed} functions were killed`);
  say.step(
    "kill",
    `${name}: killed ${killed} times, completed by each retry; AWSCURRENT logs in`,
    performance.now() - start,
  );
  return killed;
}

const PATIENCE_MS = 300_000;

type StagedSecret = ReturnType<typeof secretOf>;

function secretOf({ target, output }: Stage, name: string) {
  const manager = new SecretsManagerClient(target.clients);
  const arn = output(`Orders${name.replace(/^./, (c) => c.toUpperCase())}SecretArn`);
  const labels = async () => {
    const reply = await manager.send(new DescribeSecretCommand({ SecretId: arn }));
    return Object.entries(reply.VersionIdsToStages ?? {});
  };
  const pause = () => setTimeout(target.precision > 2_000 ? 1_000 : 50);
  /** The labels are the next version's before the function that moved them has answered: then once more. */
  const begin = async (): Promise<string | undefined> => {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;)
      try {
        return (await manager.send(new RotateSecretCommand({ SecretId: arn }))).VersionId;
      } catch (error) {
        const isUnderWay =
          error instanceof InvalidRequestException &&
          error.message.startsWith("A previous rotation");
        if (!isUnderWay || Date.now() > deadline) throw error;
        await pause();
      }
  };
  /** Until a version is current, or any, and no other is pending. */
  const waitUntilRotated = async (wanted?: string): Promise<void> => {
    const deadline = Date.now() + PATIENCE_MS;
    while (Date.now() < deadline) {
      const versions = await labels();
      const current = versions.find(([, stages]) => stages.includes("AWSCURRENT"))?.[0];
      const pending = versions.find(([, stages]) => stages.includes("AWSPENDING"))?.[0];
      if ((wanted ?? current) === current && (pending ?? current) === current) return;
      await pause();
    }
    throw new Error(`the rotation of ${name} has not ended by its deadline`);
  };
  return {
    name,
    arn,
    waitUntilRotated: () => waitUntilRotated(),
    rotate: async () => {
      await waitUntilRotated(await begin());
    },
    read: async (): Promise<Credential> => {
      const reply = await manager.send(new GetSecretValueCommand({ SecretId: arn }));
      return JSON.parse(reply.SecretString ?? "") as Credential;
    },
  };
}

/** A client that logs in with what it last read, and reads again when it is refused. */
async function startClient({ target }: Stage, secret: StagedSecret) {
  let credential = await secret.read();
  let [logins, refused, isOver] = [0, 0, false];
  const once = async (): Promise<void> => {
    const sqlState = await sqlStateOf(logIn(target, credential).then((client) => client.end()));
    logins += 1;
    if (sqlState === undefined) return;
    if (sqlState !== "28P01") throw new Error(`a login with ${secret.name} ended with ${sqlState}`);
    refused += 1;
    credential = await secret.read();
  };
  const loop = async (): Promise<void> => {
    while (!isOver) {
      const next = setTimeout(EVERY_MS);
      await once();
      await next;
    }
  };
  const ended = loop();
  ended.catch(() => {}); // told by stop
  return {
    stop: async () => {
      isOver = true;
      await ended;
      await once();
      return { logins, refused };
    },
  };
}
