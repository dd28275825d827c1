import { expect, test } from "vitest";
import { DatabaseUnavailableError } from "../../../core/errors.ts";
import type { Session } from "../../../lambda/postgres/connection/session.ts";
import { compareUsers } from "../../../lambda/postgres/rotation/compare-users.ts";

const COMPARISON = { username: "b", other: "a", limit: 2, owners: ["owner"] };

test("too many objects of other owners are reported, and the rotation goes on", async () => {
  const rows = async (step: string): Promise<never[]> => {
    if (step === "look at grants of others")
      throw new DatabaseUnavailableError(`not available in step "${step}" (57014)`);
    return [];
  };
  const session = { rows } as unknown as Session;
  expect(await compareUsers(session, COMPARISON)).toEqual({
    differences: [],
    foreign: ['not available in step "look at grants of others" (57014)'],
  });
});

test("if the application's objects cannot be read, the rotation stops", async () => {
  const rows = async (step: string): Promise<never[]> => {
    throw new DatabaseUnavailableError(`not available in step "${step}" (57014)`);
  };
  await expect(compareUsers({ rows } as unknown as Session, COMPARISON)).rejects.toThrow(
    'step "compare the users of a secret"',
  );
});
