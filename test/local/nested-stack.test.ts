import { expect, test } from "vitest";
import type { Template, TemplateResource } from "../../local/cloudformation/assembly.ts";
import { nestedStack } from "../../local/cloudformation/nested-stack.ts";
import type { ResourceType } from "../../local/cloudformation/resource.ts";
import { Stack } from "../../local/cloudformation/stack.ts";
import { Stacks } from "../../local/cloudformation/stacks.ts";
import type { Scope } from "../../local/cloudformation/template.ts";

const thing = (Properties: object, more = {}): TemplateResource => ({
  Type: "Thing",
  Properties: Properties as TemplateResource["Properties"] & object,
  ...more,
});
const nested = (key: string, Word: unknown): TemplateResource => ({
  Type: "AWS::CloudFormation::Stack",
  Properties: {
    TemplateURL: { "Fn::Sub": `https://s3.\${AWS::URLSuffix}/bucket/${key}` },
    Parameters: { Word },
  },
});

/** Nested templates, by the key of their file. */
const FILES: Readonly<Record<string, Template>> = {
  "one.json": {
    Parameters: { Word: { Type: "String" } },
    Resources: { Inner: thing({ Word: { Ref: "Word" } }) },
    Outputs: { Made: { Value: { Ref: "Inner" } } },
  },
  "two.json": {
    Parameters: { Word: { Type: "String" } },
    Resources: { Other: thing({ Word: { Ref: "Word" } }) },
    Outputs: { Made: { Value: { Ref: "Other" } } },
  },
};

/** Stacks of things, which are nothing but what happens to them. */
function stacksOfThings() {
  const events: string[] = [];
  let failing = "nothing";
  const happens = (event: string): void => {
    events.push(event);
    if (event === failing) throw new Error(`${event} was told to fail`);
  };
  const type: ResourceType = {
    changes: { "*": "update" },
    create: ({ logicalId, properties: { Word } }) => {
      happens(`create ${logicalId} ${String(Word)}`);
      return { ref: `${logicalId}-${String(Word)}` };
    },
    update: ({ logicalId, properties: { Word } }, { ref }) => {
      happens(`update ${logicalId} ${String(Word)}`);
      return { ref };
    },
    remove: ({ logicalId }) => happens(`delete ${logicalId}`),
  };
  const makeStack = (name: string, outputOf?: Scope["outputOf"]): Stack =>
    new Stack({
      outputOf,
      account: { id: "123456789012", region: "eu-west-1" },
      name,
      typeOf: (wanted) => (wanted === "Thing" ? type : inStack),
      resolveSecret: () => "",
      onProgress: () => {},
    });
  const inStack = nestedStack({ makeStack, templateOf: (key) => FILES[key] ?? { Resources: {} } });
  return {
    stacks: new Stacks(makeStack),
    takeEvents: () => events.splice(0),
    fail: (event: string) => {
      failing = event;
    },
  };
}

const only = (Resources: Template["Resources"], value?: unknown) =>
  new Map([
    [
      "Main",
      { Resources, ...(value !== undefined && { Outputs: { Of: { Value: value } } }) } as Template,
    ],
  ]);

test("a nested stack takes parameters, gives outputs, and is changed and taken away with its own", async () => {
  const { stacks, takeEvents } = stacksOfThings();
  const resources = (key: string, word: string) => ({
    Word: thing({ Word: word }),
    Inside: nested(key, { Ref: "Word" }),
    After: thing({ Word: { "Fn::GetAtt": ["Inside", "Outputs.Made"] } }),
  });
  const made = { "Fn::GetAtt": ["Inside", "Outputs.Made"] };
  await stacks.create(only(resources("one.json", "a"), made));
  expect(takeEvents()).toEqual([
    "create Word a",
    "create Inner Word-a",
    "create After Inner-Word-a",
  ]);
  expect(stacks.outputs).toEqual({ Of: "Inner-Word-a" });
  await stacks.update(only(resources("two.json", "a"), made));
  expect(takeEvents()).toEqual([
    "create Other Word-a",
    "delete Inner",
    "update After Other-Word-a",
  ]);
  await stacks.delete();
  expect(takeEvents()).toEqual(["delete After", "delete Other", "delete Word"]);
});

test("a nested stack gets its former resources again when the update fails elsewhere", async () => {
  const { stacks, takeEvents, fail } = stacksOfThings();
  await stacks.create(only({ Inside: nested("one.json", "a"), Last: thing({ Word: "x" }) }));
  takeEvents();
  fail("update Last y");
  const next = only({ Inside: nested("one.json", "b"), Last: thing({ Word: "y" }) });
  await expect(stacks.update(next)).rejects.toThrow("update Last y was told to fail");
  expect(takeEvents()).toEqual([
    "update Inner b",
    "update Last y",
    "update Inner a",
    "update Last x",
  ]);
});

test("stacks are made in turn and taken away the other way round; one that leaves the app stays", async () => {
  const { stacks, takeEvents } = stacksOfThings();
  const [a, b, c] = ["A", "B", "C"].map((id): Template => ({ Resources: { [id]: thing({}) } }));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three are made");
  await stacks.create(new Map(Object.entries({ Main: a, "Main-b": b })));
  await stacks.update(new Map(Object.entries({ Main: a, "Main-c": c })));
  expect(takeEvents()).toEqual(["A", "B", "C"].map((id) => `create ${id} undefined`));
  expect(stacks.all.map(({ name }) => name)).toEqual(["Main", "Main-b", "Main-c"]);
  await stacks.delete();
  expect(takeEvents()).toEqual(["delete C", "delete B", "delete A"]);
});

test("a stack is made after those whose outputs it reads, whatever their order in the app", async () => {
  const { stacks, takeEvents } = stacksOfThings();
  const outputOf = (StackName: string) => ({
    "Fn::GetStackOutput": { StackName, OutputName: "Made", Region: { Ref: "AWS::Region" } },
  });
  const reader: Template = { Resources: { Reader: thing({ Word: outputOf("Main-b") }) } };
  const secret: Template = {
    Resources: { Secret: thing({ Word: "x" }) },
    Outputs: { Made: { Value: { Ref: "Secret" } } },
  };
  await stacks.create(new Map(Object.entries({ Main: reader, "Main-b": secret })));
  expect(takeEvents()).toEqual(["create Secret x", "create Reader Secret-x"]);
  await stacks.delete();
  expect(takeEvents()).toEqual(["delete Reader", "delete Secret"]);
  const lost: Template = { Resources: { Lost: thing({ Word: outputOf("Main-c") }) } };
  await expect(stacks.update(new Map([["Main-d", lost]]))).rejects.toThrow(
    "there is no stack Main-c with an output Made",
  );
  const circle = { Main: reader, "Main-b": { Resources: { A: thing(outputOf("Main")) } } };
  await expect(stacks.create(new Map(Object.entries(circle)))).rejects.toThrow(
    "stacks need each other: Main -> Main-b -> Main",
  );
});
