import { afterAll } from "vitest";
import { stopShared } from "../support/stack.ts";
import "./shipped/converge.ts";
import "./shipped/doctor.ts";
import "./shipped/verbs.ts";
import "./shipped/exec-files.ts";
import "./shipped/with-proxy.ts";
import "./shipped/agent.ts";
import "./shipped/mayfly.ts";

// They share one stack, in this order: the first finds no lease yet.
afterAll(stopShared);
