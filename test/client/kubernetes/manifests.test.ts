import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inject } from "../../../client/kubernetes/inject.ts";
import { LOGIN_ANNOTATIONS, POD_ANNOTATIONS } from "../../../client/kubernetes/pod/annotations.ts";
import {
  podResourcesIn,
  schemaProblems,
  unknownFields,
  wrongValues,
} from "../../support/kubernetes-schema.ts";
import { blocksOf, read as readPage } from "../../support/pages.ts";

const folder = join(import.meta.dirname, "manifests");
const files = readdirSync(folder);
const read = (file: string): string => readFileSync(join(folder, file), "utf8");

const IMAGE = "registry.example.com/mayfly-agent:1";
const injected = async (text: string, file: string): Promise<string> =>
  (await inject(text, { file, image: IMAGE })).text;

/** Lines of one text that are not in the other, in order. */
function missingLines(before: string, after: string): readonly string[] {
  const left = after.split("\n");
  return before.split("\n").filter((line) => {
    const at = left.indexOf(line);
    if (at === -1) return true;
    left.splice(0, at + 1);
    return false;
  });
}

test.each(files)("%s is injected once, and not a second time", async (file) => {
  const text = read(file);
  const once = await injected(text, file);
  expect(once).not.toBe(text);
  expect(await injected(once, file)).toBe(once);
});

test.each(files.filter((file) => file.endsWith(".yaml") && file !== "host.yaml"))(
  "no line of %s is changed, but of lists that were empty and maps in braces",
  async (file) => {
    const text = read(file);
    const missing = missingLines(text, await injected(text, file));
    expect(missing.filter((line) => !/: \[\](?: +#.*)?$|^ +- \{.*\}$/.test(line))).toEqual([]);
  },
);

test.each(files)("%s has the same with the line ends of Windows", async (file) => {
  const windows = (text: string): string => text.replaceAll("\n", "\r\n");
  const once = await injected(windows(read(file)), file);
  expect(once).toBe(windows(await injected(read(file), file)));
});

test("the comment of a list that was empty stays behind its key", async () => {
  const text = await injected(read("empty-lists.yaml"), "empty-lists.yaml");
  expect(text).toContain("  initContainers: # none yet\n  - name: mayfly-agent\n");
  expect(text).toContain("      volumeMounts:   # nor here\n      - name: mayfly-agent\n");
});

test("JSON that is indented with tabs has no other indents afterwards", async () => {
  const written = JSON.stringify(JSON.parse(read("nested.json")), null, "\t");
  const text = await injected(`${written}\n`, "tabs.json");
  expect(text.match(/^\t* +/gm)).toBeNull();
  expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, "\t")}\n`);
});

const page = readPage("docs/kubernetes.md");
const manifestsOfPage = blocksOf("docs/kubernetes.md")
  .filter(({ language, text }) => language === "yaml" && text.includes("mayfly/inject"))
  .map(({ text }) => text);

test("Kubernetes' API takes all of them and of docs/kubernetes.md, with no field that it does not know", async () => {
  expect(manifestsOfPage.length).toBeGreaterThan(1);
  const all: string[] = [];
  for (const text of [...files.map(read), ...manifestsOfPage]) all.push(await injected(text, "f"));
  const resources = all.flatMap(podResourcesIn);
  expect(resources.length).toBeGreaterThanOrEqual(files.length + manifestsOfPage.length);
  expect(await schemaProblems(resources)).toEqual([]);
});

test("the check of the schema sees wrong values and unknown fields", async () => {
  const text = await injected(read("plain.yaml"), "plain.yaml");
  const [value, field] = [
    text.replace("failureThreshold: 60", 'failureThreshold: "60"'),
    text.replace("restartPolicy: Always", "restartpolicy: Always"),
  ].map(podResourcesIn);
  expect(wrongValues(value ?? [])).toHaveLength(1);
  expect(String(await unknownFields(field ?? []))).toContain("restartpolicy");
});

test("docs/kubernetes.md has every annotation", () => {
  const names = [...POD_ANNOTATIONS, ...LOGIN_ANNOTATIONS.map((name) => `${name}-<name>`)];
  expect(names.filter((name) => !page.includes(`| \`mayfly/${name}\` |`))).toEqual([]);
});
