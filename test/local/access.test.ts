import { expect, test } from "vitest";
import { Access } from "../../local/iam/access.ts";
import { Identities, type NamedPolicy } from "../../local/iam/identity.ts";

const account = { id: "123456789012", region: "eu-west-1" };
const secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:reports-AbCdEf";
const read = { action: "secretsmanager:GetSecretValue", resource: secret };

const reading = (Condition?: object): NamedPolicy["policy"] => ({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: read.action, Resource: "*", ...(Condition && { Condition }) },
  ],
});

/** A policy of the secret. */
const NOBODY = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Deny", Principal: "*", Action: read.action, Resource: "*" }],
};

test("a call that comes again is decided anew when a policy or the context has changed", async () => {
  const access = new Access(account);
  const identities = new Identities(account);
  const role = identities.addRole("reporting");
  const session = identities.session(role, "somebody");
  const decide = (context?: Record<string, string>, policy?: NamedPolicy["policy"]) =>
    access.authorize(session, { ...read, ...(context && { context }), policy }).then(
      () => "allowed",
      (error: Error) => error.name,
    );

  expect(await decide()).toBe("AccessDeniedException");
  role.policies = [{ name: "Read", policy: reading() }];
  expect(await decide()).toBe("allowed");
  expect(await decide()).toBe("allowed");
  expect(await decide({}, NOBODY)).toBe("AccessDeniedException");
  const tagged = { StringEquals: { "secretsmanager:VersionStage": "AWSCURRENT" } };
  role.policies = [{ name: "Read", policy: reading(tagged) }];
  expect(await decide()).toBe("AccessDeniedException");
  expect(await decide({ "secretsmanager:VersionStage": "AWSCURRENT" })).toBe("allowed");
  expect(access.decisions.map(({ decision }) => decision)).toEqual([
    "ImplicitlyDenied",
    "Allowed",
    "Allowed",
    "ExplicitlyDenied",
    "ImplicitlyDenied",
    "Allowed",
  ]);
});

test("a policy that is replaced by an equal one is used by a call that comes again", async () => {
  const access = new Access(account);
  const identities = new Identities(account);
  const role = identities.addRole("reporting");
  const session = identities.session(role, "somebody");
  const unused = () =>
    access.use.unused(role.policies.map(({ policy }) => ({ holder: role.name, policy }))).length;
  for (const _ of ["first", "second"]) {
    role.policies = [{ name: "Read", policy: reading() }];
    expect(unused()).toBe(1);
    await access.authorize(session, read);
    expect(unused()).toBe(0);
  }
});
