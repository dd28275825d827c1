import { RDSClient } from "@aws-sdk/client-rds";
import type { ReaderAddress } from "../../core/leases/lease-ports.ts";
import type { Time } from "../../core/time.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { rdsReaders } from "../aws/rds.ts";
import type { Login } from "../postgres/connection/login.ts";
import type { LoginSource, Open } from "../postgres/connection/maintenance.ts";
import {
  NO_READERS,
  type ReaderConnections,
  readerConnections,
} from "../postgres/leases/readers.ts";
import type { Environment } from "./environment.ts";

export interface ComposeReadersDeps {
  /** The issuer login; its address, the writer's, is ignored. */
  readonly login: LoginSource;
  readonly ssl: (host: string) => Login["ssl"];
  readonly open: Open;
  readonly tag: string;
  readonly time: Time;
}

/**
 * The readers that a function's environment names: `DB_READERS`, a list of `host:port`, and those
 * that RDS lists for `DB_CLUSTER` or `DB_INSTANCE`.
 */
export function composeReaders(env: Environment, deps: ComposeReadersDeps): ReaderConnections {
  const addresses = readerAddresses(env, deps.time);
  if (addresses === undefined) return { ...NO_READERS, close: async () => {} };
  return readerConnections({ ...deps, addresses, random: Math.random });
}

/** Their current addresses. Undefined if the environment names none. */
export function readerAddresses(
  env: Environment,
  time: Time,
): (() => Promise<readonly ReaderAddress[]>) | undefined {
  const fixed = fixedIn(env.DB_READERS);
  const source = sourceIn(env);
  return fixed.length === 0 && source === undefined ? undefined : addressesOf(fixed, source, time);
}

type Fixed = Extract<ReaderAddress, { host: string }>;

function addressesOf(
  fixed: readonly Fixed[],
  source: ReturnType<typeof sourceIn>,
  time: Time,
): () => Promise<readonly ReaderAddress[]> {
  if (source === undefined) return async () => fixed;
  const fixedHosts = fixed.map(({ host }) => host);
  const listed = rdsReaders({ client: new RDSClient(AWS_BOUNDS), source, fixedHosts, time });
  return async () => [...fixed, ...(await listed())];
}

/** `DB_READERS`, a list of `host:port`. */
export const fixedIn = (list = ""): readonly Fixed[] =>
  list
    .split(",")
    .filter((each) => each !== "")
    .map((each) => {
      const [host = "", port] = each.split(":");
      return { host, port: Number(port) };
    });

/**
 * The source of the readers that RDS lists: `DB_CLUSTER` or `DB_INSTANCE`. Undefined if neither is
 * set.
 */
export function sourceIn({ DB_CLUSTER: cluster, DB_INSTANCE: instance }: Environment) {
  if (cluster) return { cluster };
  return instance ? { instance } : undefined;
}
