import { expect, test } from "vitest";
import { handler as provisioner } from "../../lambda/handlers/provisioner.ts";
import { handler as seeder } from "../../lambda/handlers/seeder.ts";

const invokedFunctionArn = "arn:aws:lambda:eu-west-1:111122223333:function:provisioner";
const context = {
  awsRequestId: "request-of-this-test",
  invokedFunctionArn,
} as Parameters<typeof provisioner>[1];

const origin = { StackId: "arn:aws:cloudformation:stack/s", LogicalResourceId: "Provision" };

test("the seeder leaves everything when it is deleted, and keeps its id", async () => {
  const event = { RequestType: "Delete" as const, ResourceProperties: {}, ...origin };
  expect(await seeder(event, context)).toEqual({ PhysicalResourceId: "mayfly-sandbox-seed" });
});

test.each([
  [
    "provisioner",
    provisioner,
    "ADMIN_SECRET_ARN, ISSUER_SECRET_ARN, JANITOR_SECRET_ARN, SCHEDULE_GROUP, SERVER_ID",
  ],
  ["seeder", seeder, "ADMIN_SECRET_ARN"],
])("the %s without its environment fails by name and message alone", async (_, handler, unset) => {
  const event = {
    RequestType: "Create" as const,
    ResourceProperties: { Plan: "{}" },
    ...origin,
  };
  const error: unknown = await handler(event, context).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining(unset),
  });
  expect(Object.keys(error as Error)).toEqual([]);
});
