import type { INHERITED_USER } from "./annotations.ts";
import type { ProcessUser } from "./pod.ts";

/** A login that the annotations of a pod name. */
export interface WantedLogin {
  readonly kind: "lease" | "secret";
  readonly name: string;
  /** A lease's ARN or `database/role`; a secret's name or ARN. */
  readonly source: string;
  readonly ttl: string | undefined;
  readonly proxy: number | "socket" | undefined;
}

/** A file that the annotations of a pod name. */
export interface WantedFile {
  /** The end of its annotations' names. */
  readonly name: string;
  /** Its name in the volume. */
  readonly file: string;
  readonly from: readonly string[];
  readonly content:
    | { readonly kind: "format"; readonly format: string }
    | { readonly kind: "template"; readonly text: string };
  readonly mode: string | undefined;
  readonly command: readonly string[] | undefined;
}

/** What the annotations of a pod ask for. */
export interface WantedAgent {
  readonly logins: readonly WantedLogin[];
  readonly files: readonly WantedFile[];
  /** Undefined: all. */
  readonly containers: readonly string[] | undefined;
  /** `sidecar`: a native one; `once`: an init container; `both`: one and a container beside it. */
  readonly form: "sidecar" | "once" | "both";
  /** Where the volume is mounted. */
  readonly path: string;
  /** The port of Secrets Manager's protocol. */
  readonly secretsManager: number | undefined;
  readonly image: string | undefined;
  readonly user: ProcessUser | typeof INHERITED_USER | undefined;
  readonly resources: Readonly<Record<string, unknown>> | undefined;
}
