import { expect, test } from "vitest";
import { parseGoTemplate } from "../../../../client/kubernetes/vault/go-template.ts";
import { translateTemplate } from "../../../../client/kubernetes/vault/translate-template.ts";
import { problemOf, written } from "./go-outcome.ts";
import outcomes from "./go-outcomes.json" with { type: "json" };

const PLAIN = { left: "{{", right: "}}" };

test("a file of the agent's is the one that Go wrote, to the byte, or it was refused", () => {
  const problems = outcomes.flatMap((outcome, at) =>
    // the first half can be translated, the rest is anything
    problemOf(outcome, at < outcomes.length / 2),
  );
  expect(problems.filter((each) => each !== undefined)).toEqual([]);
  const same = outcomes.filter(({ template }) => written(template) !== undefined);
  expect(same.length).toBeGreaterThan(80);
});

const creds = (text: string): string => `{{ with secret "database/creds/owner" }}${text}{{ end }}`;
const USER = "user of database/creds/owner";

test.each([
  ["braces that would open an expression", "a{{/* */}}{b {{- .Data.username -}} }", `a{b${USER}}`],
  ["braces around a field", "{ {{- .Data.username -}} }", `{${USER}}`],
  [
    "backslashes before a field",
    "\\{{ .Data.username }}\\\\{{ .Data.username }}\\",
    `\\${USER}\\\\${USER}\\`,
  ],
  ["backslashes and braces before a field", "\\{ {{- .Data.username }}", `\\{${USER}`],
  ["what is markup to others", "<&>\"'`{{ .Data.username }}~!#", `<&>"'\`${USER}~!#`],
  [
    "a raw text as a path",
    "{{ with secret `database/creds/owner` }}{{ .Data.username }}{{ end }}",
    USER,
  ],
  [
    "slashes around a path",
    '{{ with secret "/database/creds/owner/" }}{{ .Data.username }}{{ end }}',
    USER,
  ],
  ["Windows' lines", "a\r\n{{- .Data.username }}\r\nb", `a${USER}\r\nb`],
])("%s stay as they are", (_what, text, output) => {
  expect(written(text.includes("with secret") ? text : creds(text))).toBe(output);
});

test("a file may have fields of several secrets, one in the other", () => {
  const text = creds(
    'a {{ .Data.username }} {{ with secret "secret/data/app" }}b {{ .Data.data.username }}{{ end }} {{ .Data.username }}',
  );
  expect(written(text)).toBe(`a ${USER} b user of secret/data/app ${USER}`);
});

test("other delimiters are read as Go reads them", () => {
  const text = '[[- with secret "database/creds/owner" ]]{{x}}[[ .Data.username ]][[ end ]]';
  const { pieces, problems } = parseGoTemplate(text, { left: "[[", right: "]]" });
  expect(problems).toEqual([]);
  expect(pieces).toMatchObject([
    { kind: "text", text: "{{x}}" },
    { kind: "field", names: ["Data", "username"] },
  ]);
});

/** Templates with the text at which they are refused, and a word of the reason. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['{{ with secret "database/creds/a" }}{{ .Data.username }}', "{{ with", /nothing closes it/],
  [`${creds("{{ .Data.username }}")}{{ end }}`, "{{ end }}§", /nothing for this "end"/],
  ["{{ .Data.username }}", "{{ .Data", /stands in no secret/],
  [creds("{{ .Data.username"), "{{ .Data", /.*/],
  [creds("{{/* open }}"), "{{/*", /comment/],
  [creds("{{/* x */ }}{{ .Data.username }}"), "{{/*", /comment must end/],
  [creds("{{ $x := .Data.username }}{{ $x }}"), "{{ $x :=", /variables/],
  [
    '{{ with $s := secret "database/creds/a" }}{{ $s.Data.username }}{{ end }}',
    "{{ with $s",
    /all that "with"/,
  ],
  ["{{ constructor }}", "{{ constr", /^the function "constructor" is not translated$/],
  [creds("{{ .Data.username | toString }}"), "{{ .Data", /^the pipeline into "toString" is not/],
  [creds("{{ .Data.username | toJSON }}"), "{{ .Data", /toJSON.*\{\{json password\}\}/],
  [creds("{{ .Data | toJSON }}"), "{{ .Data", /toJSON/],
  [creds("{{ .Data.password | base64Decode }}"), "{{ .Data", /"base64Decode"/],
  [creds("{{ base64Decode .Data.password }}"), "{{ base64Decode", /"base64Decode"/],
  [creds('{{ printf "%s" .Data.password }}'), "{{ printf", /"printf"/],
  [creds('{{ index .Data "user-name" }}'), "{{ index", /"index"/],
  [creds("{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}{{ end }}"), "{{ range", /variables/],
  [creds("{{ range .Data }}x{{ end }}"), "{{ range", /no loops/],
  [
    creds("{{ if .Data.username }}{{ .Data.username }}{{ else }}no{{ end }}"),
    "{{ if",
    /conditions/,
  ],
  [creds("{{ else }}{{ .Data.username }}"), "{{ else", /"else"/],
  [creds('{{ env "HOME" }}{{ .Data.username }}'), "{{ env", /"env"/],
  [creds('{{ file "/x" }}{{ .Data.username }}'), "{{ file", /"file"/],
  [creds('{{ key "x" }}{{ .Data.username }}'), "{{ key", /Consul/],
  ['{{ secret "database/creds/a" }}', "{{ secret", /"with"/],
  [
    creds("{{ .LeaseID }}{{ .Data.username }}"),
    "{{ .LeaseID",
    /\.LeaseID .*\.Data\.username, \.Data\.password$/,
  ],
  [creds("{{ .Data.data.username }}"), "{{ .Data.data", /no counterpart/],
  [creds("{{ .Data.user }}"), "{{ .Data.user", /no counterpart/],
  [creds("{{ .Data.username.x }}"), "{{ .Data", /no counterpart/],
  [creds("{{ .Data .username }}"), "{{ .Data", /fields/],
  [creds("{{ . }}"), "{{ .", /fields/],
  [creds("{{ (.Data.username) }}"), "{{ (", /fields/],
  [creds("{{}}{{ .Data.username }}"), "{{}}", /nothing in it/],
  [creds('{{ "text" }}{{ .Data.username }}'), '{{ "text', /fields/],
  [creds('{{ "no end }}'), '"no', /in quotes/],
  [
    '{{ with secret "database/creds/a" "ttl=1h" }}{{ .Data.username }}{{ end }}',
    "{{ with",
    /all that "with"/,
  ],
  [
    '{{ with secret "database\\x2fcreds/a" }}{{ .Data.username }}{{ end }}',
    '"database\\',
    /backslash/,
  ],
  ['{{with secret"database/creds/a"}}{{ .Data.username }}{{ end }}', "{{with", /all that "with"/],
  [
    '{{ with secret "secret/data/app" }}{{ .Data.data.api_key }}{{ end }}',
    "{{ .Data",
    /\.Data\.data\.dbname/,
  ],
  ["no secret in it", "no secret", /ConfigMap/],
  ["", "", /ConfigMap/],
  [creds("{{ .Data.username }}\0"), "{{ with", /zero byte/],
  [
    creds('{{ define "x" }}y{{ end }}{{ template "x" }}{{ .Data.username }}'),
    "{{ define",
    /"define"/,
  ],
];

test.each(REFUSED)("%j is refused at %j", (template, place, words) => {
  const { problems } = translateTemplate(template, PLAIN);
  const [first] = problems;
  expect(first?.words).toMatch(words);
  // § is for the last place of several
  const [text = "", isLast] = place.split("§");
  const offset = isLast === undefined ? template.indexOf(text) : template.lastIndexOf(text);
  expect(first?.offset).toBe(offset);
});

test("all that is wrong is told at once", () => {
  const { problems } = translateTemplate(
    creds('{{ env "A" }}{{ if .Data.x }}{{ .Data.y }}{{ end }}{{ .LeaseID }}\n{{ .Data.x }}'),
    PLAIN,
  );
  expect(problems.map(({ words }) => words.slice(0, 12))).toHaveLength(4);
});
