/**
 * One login that is valid, for as long as a program wants it.
 *
 * @example
 * ```ts
 * import { fromEnvironment, keepLease } from "mayfly/keeper";
 *
 * await using keeper = keepLease({ source: fromEnvironment("orders/readonly") });
 * keeper.on("failing", ({ message, left }) => console.warn(message, left));
 * const { username, password, host } = await keeper.current();
 * ```
 *
 * @packageDocumentation
 */
export type { Secret } from "../../core/secret.ts";
export type { ClientTime } from "../time.ts";
export { KeeperError } from "./errors.ts";
export type { Keeper, KeeperEvents, Login, SecretVersion, SourceFailure } from "./keeper.ts";
export { keepLease, type LeaseKeeperOptions } from "./lease-keeper.ts";
export { keepSecret, type SecretKeeperOptions } from "./secret-keeper.ts";
export { type Environment, fromEnvironment } from "./sources/environment.ts";
export { issuer } from "./sources/issuer.ts";
export type { IssuedLease, IssueRequest, LeaseEnds, LeaseSource } from "./sources/lease-source.ts";
export { rotatedSecret, type SecretSource } from "./sources/secrets-manager.ts";
