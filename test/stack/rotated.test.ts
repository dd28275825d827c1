import { afterAll } from "vitest";
import { stopRotated } from "./rotated/stack.ts";
import "./rotated/rotation.ts";
import "./rotated/access.ts";

// They share one stack, in this order: the first wants no rotation to have failed.
afterAll(stopRotated);
