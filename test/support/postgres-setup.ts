import { makeClusterTemplate } from "./cluster-template.ts";

/** Each file of the `postgres` project has a server of its own, and all are copies of one cluster. */
export default async function setup(): Promise<() => void> {
  return makeClusterTemplate();
}
