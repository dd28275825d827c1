import type { ScheduleGroup, Telemetry } from "../../../core/leases/lease-ports.ts";
import type { SecretStore } from "../../../core/secret-store.ts";
import type { Time } from "../../../core/time.ts";
import type { LoginSource } from "../connection/maintenance.ts";
import type { TlsSettings } from "../connection/tls.ts";
import type { ReaderConnections } from "../leases/readers.ts";
import type { AdminDeps } from "./admin-login.ts";

/** What provisioning, and taking away again, need from outside. */
export interface ProvisionDeps extends AdminDeps {
  readonly secrets: SecretStore;
  /** ARNs of the two secrets of Mayfly's own logins. */
  readonly issuerSecret: string;
  readonly janitorSecret: string;
  /** Name to ARN of those that users are made from. */
  readonly rotatedSecrets: Readonly<Record<string, string>>;
  readonly scheduleGroup: ScheduleGroup;
  /** What tells the server from a copy of it. */
  readonly serverId: string;
  readonly time: Time;
  /** Told of each finished step. No fact is secret. */
  readonly log: Log;
  /** Told of what somebody has to look at. */
  readonly warn: Log;
  readonly telemetry: Telemetry;
  /** The readers of the cluster, for as long as leases are revoked. */
  readonly readers: (
    login: LoginSource,
    plan: TlsSettings & { readonly tag: string },
  ) => ReaderConnections;
}

type Log = (step: string, facts?: Readonly<Record<string, string | number>>) => void;
