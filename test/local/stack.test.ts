import { expect, test } from "vitest";
import type { Template, TemplateResource } from "../../local/cloudformation/assembly.ts";
import { thingStack } from "./thing-stack.ts";

type Resources = Readonly<Record<string, TemplateResource>>;

const of = (Resources: Resources): Template => ({ Resources });
const thing = (Properties = {}, more: Partial<TemplateResource> = {}): TemplateResource => ({
  Type: "Thing",
  Properties,
  ...more,
});

/** A stack of these, whose creation is not among the events. */
async function made(resources: Resources) {
  const things = thingStack();
  await things.stack.create(of(resources));
  things.events();
  return things;
}

test("an update creates what is new, changes what differs and then deletes what is gone", async () => {
  const { stack, events } = await made({
    Same: thing({ X: 1 }),
    Changed: thing({ X: 1 }),
    Below: thing(),
    Gone: thing({ X: { Ref: "Below" } }),
  });
  await stack.update(of({ Same: thing({ X: 1 }), Changed: thing({ X: 2 }), New: thing() }));
  expect(events()).toEqual([
    'update Changed {"X":2}',
    "create New",
    'delete ref-Gone-4 {"X":"ref-Below-3"}',
    "delete ref-Below-3 {}",
  ]);
  expect(stack.status).toBe("UPDATE_COMPLETE");
});

test("a resource is replaced before the old one goes, and whoever refers to it is told", async () => {
  const reader = { Reader: thing({ X: { Ref: "Named" } }) };
  const { stack, events } = await made({ Named: thing({ Name: "a" }), ...reader });
  await stack.update(of({ Named: thing({ Name: "b" }), ...reader }));
  expect(events()).toEqual([
    "create Named",
    'update Reader {"X":"ref-Named-3"}',
    'delete ref-Named-1 {"Name":"a"}',
  ]);
  await stack.update(of({ Named: thing({ Name: "b" }), ...reader }));
  expect(events()).toEqual([]);
});

test("values are compared, not the template's words for them", async () => {
  const { stack, events } = await made({ A: thing({ X: "eu-west-1" }) });
  await stack.update(of({ A: thing({ X: { Ref: "AWS::Region" } }) }));
  expect(events()).toEqual([]);
});

test("an update that fails is undone: former properties, and nothing new is left", async () => {
  const former = { A: thing({ X: 1 }), B: thing({ Name: "old" }), C: thing({ X: 1 }), D: thing() };
  const { stack, events, fail } = await made(former);
  fail('update C {"X":2}');
  const next = { A: thing({ X: 2 }), B: thing({ Name: "new" }), New: thing(), C: thing({ X: 2 }) };
  await expect(stack.update(of(next))).rejects.toThrow('update C {"X":2} was told to fail');
  expect(events()).toEqual([
    'update A {"X":2}',
    "create B",
    "create New",
    'update C {"X":2}',
    'update A {"X":1}',
    'update C {"X":1}',
    "delete ref-New-6 {}",
    'delete ref-B-5 {"Name":"new"}',
  ]);
  expect(stack.status).toBe("UPDATE_ROLLBACK_COMPLETE");
  fail("");
  await stack.update(of(former));
  expect(events()).toEqual([]);
  await stack.delete();
  expect(events()).toEqual([
    "delete ref-D-4 {}",
    'delete ref-C-3 {"X":1}',
    'delete ref-B-2 {"Name":"old"}',
    'delete ref-A-1 {"X":1}',
  ]);
});

test("a rollback that fails says both reasons, and the stack can only be deleted", async () => {
  const { stack, fail } = await made({ A: thing({ X: 1 }) });
  fail("update A");
  await expect(stack.update(of({ A: thing({ X: 2 }) }))).rejects.toThrow(
    'could not be rolled back: update A {"X":1} was told to fail; after: update A {"X":2}',
  );
  await expect(stack.update(of({ A: thing() }))).rejects.toThrow(
    "stack Stack is in UPDATE_ROLLBACK_FAILED state; update starts from CREATE_COMPLETE",
  );
  await stack.delete();
  expect(stack.status).toBe("DELETE_COMPLETE");
});

test("an update that answers with another physical id is followed by a Delete of the old one", async () => {
  const renamer = (X: string): TemplateResource => ({ Type: "Renamer", Properties: { X } });
  const { stack, events, fail } = await made({ R: renamer("a"), A: thing({ X: 1 }) });
  await stack.update(of({ R: renamer("b"), A: thing({ X: 1 }) }));
  expect(events()).toEqual(['update ref-R-1 {"X":"b"}', 'delete ref-R-1 {"X":"a"}']);
  fail('update A {"X":2}');
  await expect(stack.update(of({ R: renamer("c"), A: thing({ X: 2 }) }))).rejects.toThrow(
    "told to fail",
  );
  expect(events()).toEqual([
    'update ref-b {"X":"c"}',
    'update A {"X":2}',
    'update ref-c {"X":"b"}',
    'update A {"X":1}',
    'delete ref-c {"X":"c"}',
  ]);
});

test("what cannot be changed is named before anything is touched, also behind a new name", async () => {
  const { stack, events } = await made({
    A: thing({ X: 1 }),
    B: thing({ Name: "a" }),
    C: thing({ Fixed: { Ref: "B" } }),
  });
  const next = { A: thing({ X: 2 }), B: thing({ Name: "b" }), C: thing({ Fixed: { Ref: "B" } }) };
  await expect(stack.update(of(next))).rejects.toThrow(
    "the local runner does not change Fixed of Thing (C); stop it and start the new template instead",
  );
  const other = { A: { Type: "Renamer" } };
  await expect(stack.update(of(other))).rejects.toThrow("A is a Thing and cannot become a Renamer");
  expect(events()).toEqual([]);
  expect(stack.status).toBe("CREATE_COMPLETE");
});

test("a creation that fails takes away what it made, last things first, and may be tried again", async () => {
  const { stack, events, fail } = thingStack();
  fail("create C");
  const template = of({ A: thing(), B: thing(), C: thing() });
  await expect(stack.create(template)).rejects.toThrow("create C was told to fail");
  expect(events().slice(3)).toEqual(["delete ref-B-2 {}", "delete ref-A-1 {}"]);
  expect(stack.status).toBe("ROLLBACK_COMPLETE");
  const { id } = stack;
  fail("");
  await stack.create(template);
  expect(stack.id).not.toBe(id);
});

test("a deletion that fails stops, and goes on where it stopped", async () => {
  const { stack, events, fail } = await made({ A: thing(), B: thing(), C: thing() });
  fail("delete ref-B");
  await expect(stack.delete()).rejects.toThrow("delete ref-B-2 {} was told to fail");
  expect(events()).toEqual(["delete ref-C-3 {}", "delete ref-B-2 {}"]);
  await expect(stack.update(of({ A: thing() }))).rejects.toThrow("is in DELETE_FAILED state");
  fail("");
  await stack.delete();
  await stack.delete();
  expect(events()).toEqual(["delete ref-B-2 {}", "delete ref-A-1 {}"]);
});

test.each([
  ["Delete", true, true],
  ["RetainExceptOnCreate", false, true],
  ["Retain", false, false],
])("DeletionPolicy %s is respected", async (DeletionPolicy, onDelete, onRollback) => {
  const entry = thing({}, { DeletionPolicy });
  const deleted = await made({ A: entry });
  await deleted.stack.delete();
  expect(deleted.events()).toHaveLength(onDelete ? 1 : 0);
  const removed = await made({ A: entry, B: thing() });
  await removed.stack.update(of({ B: thing() }));
  expect(removed.events()).toHaveLength(onDelete ? 1 : 0);
  const failed = thingStack();
  failed.fail("create B");
  await expect(failed.stack.create(of({ A: entry, B: thing() }))).rejects.toThrow("told to fail");
  expect(failed.events().slice(2)).toHaveLength(onRollback ? 1 : 0);
});

test("UpdateReplacePolicy keeps what was replaced", async () => {
  const named = (Name: string) => thing({ Name }, { UpdateReplacePolicy: "Retain" });
  const { stack, events, progress } = await made({ A: named("a") });
  await stack.update(of({ A: named("b") }));
  expect(events()).toEqual(["create A"]);
  expect(progress.at(-1)).toBe("keeping Thing A");
});

test("an update succeeds when something that it no longer names cannot be taken away", async () => {
  const { stack, fail, progress } = await made({ A: thing(), B: thing() });
  fail("delete ref-B");
  await stack.update(of({ A: thing() }));
  expect(stack.status).toBe("UPDATE_COMPLETE");
  expect(progress.at(-1)).toBe("B is left behind: delete ref-B-2 {} was told to fail");
});
