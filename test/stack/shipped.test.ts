import { afterAll } from "vitest";
import { stopShared } from "../support/stack.ts";
import "./shipped/policy-use.ts";
import "./shipped/grants.ts";
import "./shipped/forged.ts";
import "./shipped/sandbox-consumer.ts";
import "./shipped/canary.ts";

// They share one stack, in this order: nothing but the first's own calls may count there, the last reads all that was written.
afterAll(stopShared);
