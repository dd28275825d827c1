import { afterAll } from "vitest";
import { stopPromised } from "./promised/stack.ts";
import "./promised/revocation.ts";
import "./promised/many-leases.ts";

// They share one stack, in this order: the second makes thousands of leases that nobody revokes.
afterAll(stopPromised);
