import { expect, test } from "vitest";
import { PolicyUse } from "../../local/iam/policy-use.ts";

const policy = {
  Version: "2012-10-17",
  Statement: [
    { Sid: "Read", Effect: "Allow", Action: ["s:Get*", "s:List"], Resource: "*" },
    { Effect: "Allow", Action: "s:Put", Resource: "*" },
    { Sid: "Never", Effect: "Deny", Action: ["s:Delete", "s:Drop"], Resource: "*" },
  ],
};
const holder = "role";

test("nothing is used before a call needed it", () => {
  expect(new PolicyUse().unused([{ holder, policy }])).toEqual([
    { holder, statement: "Read", effect: "Allow", actions: ["s:Get*", "s:List"] },
    { holder, statement: "#2", effect: "Allow", actions: ["s:Put"] },
    { holder, statement: "Never", effect: "Deny", actions: ["s:Delete", "s:Drop"] },
  ]);
});

test("an Allow is used action by action, a Deny as soon as it met a call", () => {
  const use = new PolicyUse();
  use.record(policy, 1, "s:GetOne");
  use.record(policy, 3, "S:Drop");
  expect(use.unused([{ holder, policy }])).toEqual([
    { holder, statement: "Read", effect: "Allow", actions: ["s:List"] },
    { holder, statement: "#2", effect: "Allow", actions: ["s:Put"] },
  ]);
});

test("the same text in another role's policy is another policy", () => {
  const use = new PolicyUse();
  use.record(structuredClone(policy), 1, "s:List");
  expect(use.unused([{ holder, policy }])).toHaveLength(3);
});
