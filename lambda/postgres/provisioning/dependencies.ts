import type { ScheduleGroup, Telemetry } from "../../../core/leases/lease-ports.ts";
import type { SecretStore } from "../../../core/secret-store.ts";
import type { Time } from "../../../core/time.ts";
import type { LoginSource } from "../connection/maintenance.ts";
import type { TlsSettings } from "../connection/tls.ts";
import type { ReaderConnections } from "../leases/readers.ts";
import type { AdminDeps } from "./admin-login.ts";

/** The dependencies of provisioning and removal. */
export interface ProvisionDeps extends AdminDeps {
  readonly secrets: SecretStore;
  /** ARNs of the secrets of Mayfly's own logins. */
  readonly issuerSecret: string;
  readonly janitorSecret: string;
  /** The ARNs of the rotated secrets of applications, by name. */
  readonly rotatedSecrets: Readonly<Record<string, string>>;
  readonly scheduleGroup: ScheduleGroup;
  /** An id that a copy of the server does not have. */
  readonly serverId: string;
  readonly time: Time;
  /** Called for each finished step. No fact is secret. */
  readonly log: Log;
  /** Called for everything that an operator must look at. */
  readonly warn: Log;
  readonly telemetry: Telemetry;
  /** The readers of the cluster, for as long as leases are revoked. */
  readonly readers: (
    login: LoginSource,
    plan: TlsSettings & { readonly tag: string },
  ) => ReaderConnections;
}

type Log = (step: string, facts?: Readonly<Record<string, string | number>>) => void;
