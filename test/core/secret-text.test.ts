import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Secret } from "../../core/secret.ts";
import { parseSecretText, renderSecret } from "../../core/secret-text.ts";

/** A secret whose password is set anew, as a rotation does: a copy with other members. */
const rotated = (text: string, changes: object = {}): string =>
  renderSecret({ ...parseSecretText(text), password: new Secret("new"), ...changes });

describe("what a rotation does not change keeps its bytes:", () => {
  test.each<[string, string]>([
    [
      "numbers that JavaScript cannot hold",
      '{"password":"old","accountId": 12345678901234567890, "ratio": 1.10, "e": 1E400, "z": -0}',
    ],
    ["white space", '\n{ "password" :\t"old" ,\r\n  "a":[ 1 , {"b" : 2 } ]\n}\n'],
    ["escapes", String.raw`{"a\u0062":"\u00e9\/\ud83d\ude00","password":"old","c":"\"}{,:\\"}`],
    ["keys that stand twice", '{"a":1,"a":2,"password":"old","b":{"password":"inner"}}'],
    ["keys that are numbers, and their order", '{"z":1,"10":2,"password":"old","2":3}'],
    ["a key __proto__", '{"__proto__":{"password":"inner"},"password":"old","constructor":1}'],
    ["a key toString and an empty one", '{"":"x","toString":"y","password":"old"}'],
    ["a byte order mark", '\uFEFF{"password":"old","a":1.0}'],
    [
      "what is deeper than a parser's stack",
      `{"a":${"[".repeat(9_999)}${"]".repeat(9_999)},"password":"old"}`,
    ],
  ])("%s", (_, text) => {
    expect(rotated(text)).toBe(text.replace(/"old"/, '"new"'));
    expect(renderSecret(parseSecretText(text) ?? {})).toBe(text);
  });

  test("every password of a key that stands twice is the new one, however it is spelled", () => {
    expect(rotated(String.raw`{"password":"old","p\u0061ssword":["old"],"a":1.0}`)).toBe(
      String.raw`{"password":"new","p\u0061ssword":"new","a":1.0}`,
    );
  });

  test.each([
    ["{}", '{"password":"new","port":1}'],
    ["\uFEFF{ }\n", '\uFEFF{"password":"new","port":1 }\n'],
    ['{"a":1.0\n}', '{"a":1.0,"password":"new","port":1\n}'],
    ['{"port":"1","a":1.0}', '{"port":1,"a":1.0,"password":"new"}'],
  ])("a member that is not there comes last: %j", (text, expected) => {
    expect(rotated(text, { port: 1, none: undefined })).toBe(expected);
  });
});

test("any JSON object, however it is written, is read whole and written as it was", () => {
  const space = fc.constantFrom("", " ", "\n\t");
  const key = fc.oneof(fc.string(), fc.constantFrom("password", "__proto__", "a"));
  const objects = fc.dictionary(key, fc.jsonValue(), { noNullPrototype: true });
  fc.assert(
    fc.property(objects, space, (object, indent) => {
      const text = JSON.stringify(object, null, indent);
      const parsed = parseSecretText(text) ?? {};
      expect(renderSecret(parsed)).toBe(text);
      const { password: _, ...rest } = JSON.parse(rotated(text));
      const { password: __, ...before } = JSON.parse(text);
      expect(rest).toEqual(before);
      expect(JSON.parse(rotated(text)).password).toBe("new");
    }),
  );
});

test("a value that was never parsed is written as it is", () => {
  expect(renderSecret({ username: "u", password: new Secret("p"), engine: undefined })).toBe(
    '{"username":"u","password":"p"}',
  );
});

test("neither the text nor a part of it prints", () => {
  const parsed = { ...parseSecretText('{"password":"the-password","pepper":"the-pepper"}') };
  for (const printed of [inspect(parsed, { depth: 9, showHidden: true }), JSON.stringify(parsed)])
    expect(printed).not.toMatch(/the-p/);
});

test.each(["", "[1]", "null", '"x"', "{", "\uFEFF", "\uFEFF\uFEFF{}", '{"a":1}x'])(
  "no object: %j",
  (text) => {
    expect(parseSecretText(text)).toBeUndefined();
  },
);
