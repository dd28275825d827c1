import { expect, test } from "vitest";
import { contextOf } from "../../local/iam/web-identity.ts";

test("a claim in capital letters is no condition key, and takes the place of none", () => {
  const claims = { iss: "https://k8s.example.com", sub: "a", SUB: "b", Aud: "c", aud: "own" };
  const context = contextOf(claims, "own", claims.iss);
  expect(context).toEqual({
    "k8s.example.com:iss": "https://k8s.example.com",
    "k8s.example.com:sub": "a",
    "k8s.example.com:aud": "own",
  });
});
