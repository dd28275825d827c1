import { Secret } from "../../../core/secret.ts";
import type { Instant } from "../../../core/time.ts";
import { KeeperError } from "../errors.ts";
import type { IssuedLease, LeaseEnds } from "./lease-source.ts";

/** The answer of `issue`. @throws KeeperError with `invalid` if it is not a credential. */
export function leaseIn(payload: unknown, source: string): IssuedLease {
  const read = fieldsOf(payload, source);
  return {
    login: {
      id: read.text("leaseId"),
      username: read.text("username"),
      password: new Secret(read.text("password")),
      host: read.text("host"),
      port: read.port(),
      dbname: read.text("dbname"),
      tls: read.text("sslmode") === "disable" ? "plaintext" : "verify-full",
    },
    issuedAt: read.time("issuedAt"),
    ...endsIn(payload, source),
    // issuers of older versions do not say it
    mayHaveNext: (payload as { readonly successor?: unknown }).successor !== false,
  };
}

/** The answer of `renew`. @throws KeeperError with `invalid` if it has no times. */
export function endsIn(payload: unknown, source: string): LeaseEnds {
  const read = fieldsOf(payload, source);
  return {
    expiresAt: read.time("expiresAt"),
    maxExpiresAt: read.time("maxExpiresAt"),
    refreshAfter: read.time("refreshAfter"),
  };
}

function fieldsOf(payload: unknown, source: string) {
  const fields = (payload ?? {}) as Readonly<Record<string, unknown>>;
  const wrong = (name: string): KeeperError =>
    new KeeperError(
      "invalid",
      `${source} answered without ${name}: it is not an issuer of leases; correct the ARN`,
    );
  const text = (name: string): string => {
    const value = fields[name];
    if (typeof value !== "string" || value === "") throw wrong(name);
    return value;
  };
  return {
    text,
    port: (): number => {
      const value = fields.port;
      if (typeof value !== "number" || !Number.isInteger(value)) throw wrong("port");
      return value;
    },
    time: (name: string): Instant => {
      const value = Date.parse(text(name));
      if (Number.isNaN(value)) throw wrong(name);
      return value as Instant;
    },
  };
}
