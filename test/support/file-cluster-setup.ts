import { afterAll } from "vitest";
import { stopFileCluster } from "./file-cluster.ts";

afterAll(stopFileCluster);
