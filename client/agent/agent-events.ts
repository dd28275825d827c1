/** What the agent's parts tell beside keepers and proxies, without secrets. */
export type AgentEvent =
  | { readonly kind: "file-written"; readonly path: string; readonly usernames: readonly string[] }
  /** What was in the file stays. */
  | { readonly kind: "file-failed"; readonly path: string; readonly message: string }
  /** The command or signal after a change. The file is written. */
  | { readonly kind: "on-change-failed"; readonly path: string; readonly message: string }
  /** A request on Secrets Manager's port. `operation` is undefined if it came so far not. */
  | { readonly kind: "secret-read"; readonly operation: string; readonly name: string }
  | { readonly kind: "secret-refused"; readonly status: number; readonly message: string };
