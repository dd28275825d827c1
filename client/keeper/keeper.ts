import type { Secret } from "../../core/secret.ts";
import type { Duration, Instant } from "../../core/time.ts";

/** A version of a secret, as Secrets Manager has it. */
export interface SecretVersion {
  readonly id: string;
  /** Its whole text: also fields that connections do not need. */
  readonly text: Secret;
}

/** A user and its password, as connections need them. */
export interface Login {
  /** The lease's id; of a rotated secret, the id of the version. */
  readonly id: string;
  readonly username: string;
  readonly password: Secret;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly tls: "verify-full" | "plaintext";
  /** What the login was read from. Undefined: it is a lease. */
  readonly version?: SecretVersion;
}

/** Why a source gave no login. Each has its own pace of retrying. */
export type SourceFailure =
  /** IAM or a policy refuses: somebody must change a permission. */
  | "denied"
  /** There is no such function, alias or secret: somebody must deploy or spell it right. */
  | "absent"
  /** A limit of leases is reached. */
  | "limit"
  /** AWS asks to be called less often. */
  | "throttled"
  /** Out of reach, out of time, or broken: it may pass by itself. */
  | "unavailable"
  /** The request is wrong, and will be as wrong the next time. */
  | "invalid";

/** What a keeper tells. Times are of this machine's clock. */
export interface KeeperEvents {
  /** The newest login lives longer now. */
  renewed: [{ readonly login: Login; readonly endsAt: Instant }];
  /**
   * There is a next login. The one before is valid until `endsAt`, and is renewed while in use. Of
   * a rotated secret, nobody knows until when: undefined, as in {@link Keeper.endOf}.
   */
  replaced: [
    { readonly login: Login; readonly before: Login; readonly endsAt: Instant | undefined },
  ];
  /**
   * A call failed and is tried again. `left` is what remains of the newest login: 0 if there is
   * none, undefined if nobody knows, as of a rotated secret.
   */
  failing: [
    {
      readonly failure: SourceFailure;
      readonly message: string;
      readonly left: Duration | undefined;
    },
  ];
  /** A login is over: revoked, expired, or at its end without a successor. */
  lost: [{ readonly login: Login; readonly message: string }];
}

/**
 * Holds one login that is valid: asks for it, renews it, replaces it in time, and says when it is
 * lost. Proxy, agent and pools stand on it.
 */
export interface Keeper extends AsyncDisposable {
  /**
   * The newest login, which is valid. Asks if there is none; concurrent callers share one call. A
   * login that may have died while the process was frozen is looked at before it is handed out.
   *
   * @throws KeeperError if there is none, or `signal`'s reason.
   */
  current(signal?: AbortSignal): Promise<Login>;
  /**
   * The server refused a login (SQLSTATE 28P01, 28000), or refuses statements of one that is over
   * (42501). If it is still the newest, the source is asked again.
   *
   * @returns a login that is not the refused one, unless the source says that it is valid.
   */
  replace(refused: Login, signal?: AbortSignal): Promise<Login>;
  /** A connection uses the login, until the answer is called. Only then is a replaced one renewed. */
  use(login: Login): () => void;
  /**
   * When no renewal can move the end of a login further. Undefined for rotated secrets. By this
   * machine's clock.
   */
  endOf(login: Login): Instant | undefined;
  /**
   * For how long a login is still valid beside its next one: pools must renew their connections
   * within it. Undefined before the first login, where a login has no next one, and for rotated
   * secrets.
   */
  readonly overlap: Duration | undefined;
  on<Name extends keyof KeeperEvents>(
    event: Name,
    listener: (...told: KeeperEvents[Name]) => void,
  ): void;
  off<Name extends keyof KeeperEvents>(
    event: Name,
    listener: (...told: KeeperEvents[Name]) => void,
  ): void;
  /** Stop, and revoke the leases unless their key is shared with others. Never throws. */
  close(): Promise<void>;
}
