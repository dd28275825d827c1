import { afterAll } from "vitest";
import { stopShared } from "../support/stack.ts";
import "./shipped/grants.ts";
import "./shipped/sandbox-consumer.ts";
import "./shipped/canary.ts";

// They share one stack, in this order: the first finds no lease yet, the last reads all that was written.
afterAll(stopShared);
