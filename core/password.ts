import { createHmac } from "node:crypto";
import type { Pepper, RandomBytes } from "./leases/lease-ports.ts";
import { Secret } from "./secret.ts";

const RANDOM_BYTES = 24;

/** A password of 192 random bits, 32 characters of `[A-Za-z0-9_-]`. */
export const randomPassword = (random: RandomBytes): Secret =>
  new Secret(Buffer.from(random(RANDOM_BYTES)).toString("base64url"));

/**
 * The password of a lease with an idempotency key. The same name and pepper give the same password,
 * so a replay returns the same credential and nothing has to be stored. 43 characters of
 * `[A-Za-z0-9_-]`.
 */
export const derivedPassword = (pepper: Pepper, username: string): Secret =>
  new Secret(createHmac("sha256", pepper.value.reveal()).update(username).digest("base64url"));
