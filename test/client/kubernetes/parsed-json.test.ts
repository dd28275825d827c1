import fc from "fast-check";
import { expect, test } from "vitest";
import { parsedJson } from "../../../client/kubernetes/parsed-json.ts";

test.each([
  ["", "its line 1, column 1: expected a value, got the end"],
  ["reload it", "its line 1, column 1: expected a value, got reload"],
  ['{"a": 1,}', "its line 1, column 9: expected a name in double quotes, got }"],
  ["{'a': 1}", "its line 1, column 2: expected a name in double quotes, got '"],
  ['{"a" 1}', "its line 1, column 6: expected :, got 1"],
  ['{"a": x}', "its line 1, column 7: expected a value, got x"],
  ['{"a": True}', "its line 1, column 7: expected a value, got True"],
  ['{"a": 010m}', "its line 1, column 8: expected , or }, got 10m"],
  ['{\n  "a": 1\n  "b": 2\n}', 'its line 3, column 3: expected , or }, got "'],
  ['["a" "b"]', 'its line 1, column 6: expected , or ], got "'],
  ['["a", "b', "its line 1, column 9: expected a character of a text, or its end"],
  ['["a\tb"]', "its line 1, column 4: expected a character of a text"],
  ['["\\d"]', "its line 1, column 3: expected an escape of JSON, got \\"],
  ['{"a": {}} }', "its line 1, column 11: expected the end, got }"],
  ["[\u00a01]", "its line 1, column 2: expected a value, got U+00A0"],
  ["[".repeat(100_000), "its line 1, column 501: expected fewer brackets in each other, got ["],
])("%j is told by its place", (text, fault) => {
  expect(parsedJson(text.slice(0, 100_000)).fault).toContain(fault);
});

test("whatever is no JSON is told by its place, and nothing else is", () => {
  const written = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom("", ",", '"', "}", "]", "\\", "x", "0", "-", "e"))
    .map(([text, at, other]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + other + text.slice(place + (at % 2));
    });
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(written, (text) => {
      const { fault = "none" } = parsedJson(text);
      expect(fault).toMatch(isJson(text) ? /^none$/ : /^its line \d+, column \d+: expected /);
    }),
    { numRuns: 2_000 },
  );
});
