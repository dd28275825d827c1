import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Document, isCollection, isScalar, parse, parseDocument, visit } from "yaml";
import { inject } from "../../../client/kubernetes/inject.ts";

const injected = async (text: string): Promise<string> =>
  (await inject(text, { file: "f", image: "registry.example.com/mayfly-agent:1" })).text;

const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";

const VARIABLE = { name: "MAYFLY_LEASE_ORDERS_READONLY", value: ARN };

const word = fc.constantFrom("data", "config", "cache", "a b", "# no comment", "- no item", "x: y");

/** Annotations without a mistake in them. */
const annotations = fc
  .record({
    source: fc.constantFrom(ARN, "orders/readonly"),
    way: fc.constantFrom("port", "file", "files", "secrets", "socket"),
    native: fc.constantFrom(undefined, "false"),
    containers: fc.constantFrom(undefined, "c0"),
    path: fc.constantFrom(undefined, "/vault/secrets"),
    other: word,
  })
  .map(({ source, way, native, containers, path, other }) => ({
    "example.com/other": other,
    "mayfly/inject": "true",
    "mayfly/lease-orders": source,
    ...(way === "port" && { "mayfly/proxy-orders": "5432" }),
    ...(way === "socket" && { "mayfly/proxy-orders": "socket", "mayfly/user": "7:7" }),
    ...(way === "secrets" && { "mayfly/secrets-manager": "2773" }),
    ...((way === "file" || way === "files") && { "mayfly/format-orders": "env" }),
    ...(way === "files" && {
      "mayfly/template-more": `a: {{username}}\n\n# ${other}\n`,
      "mayfly/from-more": "orders",
    }),
    ...(native && { "mayfly/native": native }),
    ...(containers && { "mayfly/containers": containers }),
    ...(path && { "mayfly/path": path }),
  }));

const container = (prefix: string) =>
  fc.record(
    {
      volumeMounts: fc.array(
        word.map((name, index = 0) => ({ name, mountPath: `/m${index}` })),
        {
          maxLength: 2,
        },
      ),
      args: fc.array(fc.constantFrom("--x", "several\nlines\n", "ends with\n\n", "# y"), {
        maxLength: 2,
      }),
      env: fc.constantFrom([VARIABLE], [{ name: "OTHER", value: "0755" }, VARIABLE]),
      resources: fc.constantFrom({}, { limits: { cpu: 1 } }, null),
    },
    { requiredKeys: prefix === "c" ? ["env"] : [] },
  );

const named = (prefix: string, least: number) =>
  fc
    .array(container(prefix), { minLength: least, maxLength: 3 })
    .map((all) => all.map((each, index) => ({ name: `${prefix}${index}`, image: "i:1", ...each })));

const spec = fc
  .record(
    {
      containers: named("c", 1),
      initContainers: named("i", 0),
      volumes: fc.option(
        fc.array(
          word.map((name) => ({ name, emptyDir: {} })),
          { maxLength: 2 },
        ),
      ),
      hostname: word,
    },
    { requiredKeys: ["containers"] },
  )
  .chain((made) =>
    fc
      .shuffledSubarray(Object.keys(made), { minLength: Object.keys(made).length })
      .map((keys) => Object.fromEntries(keys.map((key) => [key, made[key as keyof typeof made]]))),
  );

/** How somebody writes YAML. */
const style = fc.record({
  indent: fc.constantFrom(2, 4),
  indentSeq: fc.boolean(),
  newline: fc.constantFrom("\n", "\r\n"),
  end: fc.constantFrom("", "\n", "\n\n"),
  form: fc.constantFrom("yaml", "yaml", "yaml", "json", "compact"),
  /** Each collection takes the next: 0 is flow, 1 has a comment, 2 an empty line before it. */
  marks: fc.array(fc.nat({ max: 9 }), { minLength: 12, maxLength: 12 }),
});

type Style = typeof style extends fc.Arbitrary<infer Made> ? Made : never;

function written(
  resource: unknown,
  { indent, indentSeq, newline, end, form, marks }: Style,
): string {
  if (form !== "yaml") return JSON.stringify(resource, null, form === "json" ? indent : 0);
  const document = new Document(resource);
  let at = 0;
  visit(document, (key, node) => {
    if (!isCollection(node) && !isScalar(node)) return;
    if (key === "key" || key === null) return;
    const mark = marks[at % marks.length];
    at += 1;
    if (mark === 0 && isCollection(node) && at > 6) node.flow = true;
    if (mark === 1 && isCollection(node)) node.commentBefore = " before\n - it";
    if (mark === 1 && isScalar(node)) node.comment = " behind it";
    if (mark === 2) node.spaceBefore = true;
  });
  const text = document.toString({ indent, indentSeq, lineWidth: 0 }).trimEnd() + end;
  // the package writes some comments so that it does not read them
  fc.pre(parseDocument(text).errors.length === 0 && isDeepStrictEqual(parse(text), resource));
  return text.replaceAll("\n", newline);
}

const deployment = (of: object, spec: object) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "d" },
  spec: { template: { metadata: { annotations: of }, spec } },
});

/** A list that is empty is as good as none. */
const readIn = (text: string): unknown =>
  parse(text, (_, value: unknown) =>
    Array.isArray(value) && value.length === 0 ? undefined : value,
  );

test("twice injected is once injected, to the byte, however it is written", async () => {
  await fc.assert(
    fc.asyncProperty(annotations, spec, style, async (of, pod, how) => {
      const once = await injected(written(deployment(of, pod), how));
      expect(await injected(once)).toBe(once);
    }),
    { numRuns: 30 },
  );
});

test("after other annotations, it is as if they had been there at first", async () => {
  await fc.assert(
    fc.asyncProperty(annotations, annotations, spec, style, async (before, after, pod, how) => {
      const first = parse(await injected(written(deployment(before, pod), how))) as ReturnType<
        typeof deployment
      >;
      const { template } = first.spec;
      const again = deployment({ ...after, "mayfly/injected": "true" }, template.spec);
      const expected = await injected(written(deployment(after, pod), how));
      expect(readIn(await injected(written(again, how)))).toEqual(readIn(expected));
    }),
    { numRuns: 12 },
  );
});
