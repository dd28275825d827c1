import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { type IssueDeps, issueLease } from "../../core/leases/requests/issue.ts";
import { Secret } from "../../core/secret.ts";

test("a key that must find a lease with more than half of the maximum left is refused", async () => {
  const deps = {
    deployment: { tag: "abcd", shards: 1 },
    engine: { issue: async () => ({ kind: "min remaining", mostSeconds: 43_200 }) },
    peppers: { current: async () => ({ version: "1", value: new Secret("pepper") }) },
    random: randomBytes,
  } as unknown as IssueDeps;
  const grant = { consumer: "user-service", role: "readonly" };
  const request = { action: "issue", idempotencyKey: "pod", minRemainingSeconds: 43_201 } as const;
  await expect(issueLease(deps, grant, request)).rejects.toMatchObject({
    name: "InvalidRequestError",
    message:
      "minRemainingSeconds 43201 is more than 43200, half of the maximum of role readonly; ask for at most that",
  });
});
