import { expect, test } from "vitest";
import { required, rotatedSecretsIn } from "../../../lambda/handlers/environment.ts";

test("a variable that is missing or empty is a ConfigError, which names each", () => {
  expect(() => required({ SET: "x", EMPTY: "" }, ["SET", "EMPTY", "MISSING"])).toThrow(
    expect.objectContaining({
      name: "ConfigError",
      message: "the function's environment lacks EMPTY, MISSING; deploy the stack again",
    }),
  );
});

test("the rotated secrets are ARNs by name, and none if the variable is not set", () => {
  expect(rotatedSecretsIn({})).toEqual({});
  expect(rotatedSecretsIn({ ROTATED_SECRETS: '{"app":"arn:app"}' })).toEqual({ app: "arn:app" });
});

test.each(["", "{", "null", "[]", '"arn:app"', '{"app":1}'])(
  "rotated secrets that are %j are a ConfigError",
  (ROTATED_SECRETS) => {
    expect(() => rotatedSecretsIn({ ROTATED_SECRETS })).toThrow(
      expect.objectContaining({
        name: "ConfigError",
        message: expect.stringContaining("no names and ARNs in ROTATED_SECRETS"),
      }),
    );
  },
);
