import { expect, test } from "vitest";
import {
  type Translation,
  translateVault,
  type VaultPod,
} from "../../../../client/kubernetes/vault/translate-vault.ts";
import { VAULT_PREFIX } from "../../../../client/kubernetes/vault/vault-annotations.ts";
import { mapOptions, parseTargets } from "../../../../client/kubernetes/vault/vault-targets.ts";
import { ConfigError } from "../../../../core/errors.ts";

const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";
const TARGETS = parseTargets([
  `database/creds/readonly=${ARN}`,
  "database/creds/owner=orders/owner",
  "secret/data/app=orders/app",
]);

/** A line each, in this order. */
function pod(values: Readonly<Record<string, string>>, rest: Partial<VaultPod> = {}): VaultPod {
  const annotations = Object.entries(values).map(([name, value], index) => ({
    name: name.includes("/") ? name : VAULT_PREFIX + name,
    value,
    position: { line: index + 1, column: 1 },
    at: (offset: number) => ({ line: index + 1, column: offset + 2 }),
  }));
  return {
    annotations,
    serviceAccount: "web",
    sharesProcesses: false,
    firstUser: undefined,
    hasHostNetwork: false,
    ports: new Set(),
    ...rest,
  };
}

const ONE = { "agent-inject": "true", "agent-inject-secret-db": "database/creds/readonly" };

function translated(
  values: Readonly<Record<string, string>>,
  rest: Partial<VaultPod> = {},
): Translation {
  const found = translateVault(pod({ ...ONE, ...values }, rest), TARGETS);
  if (found === undefined) throw new Error("it was left as it is");
  return found;
}

/** What became of one annotation. */
function becameOf(name: string, value: string, rest: Partial<VaultPod> = {}): string {
  const { lines } = translated({ [name]: value }, rest);
  const [line, ...more] = lines.filter(({ annotation }) => annotation === VAULT_PREFIX + name);
  if (line === undefined || more.length > 0) throw new Error(`${lines.length} lines`);
  const { became } = line;
  switch (became.kind) {
    case "translated":
      return became.into.join(" ");
    default:
      return `${became.kind}: ${became.why}`;
  }
}

/** All that the injector's code names (vault-k8s, August 2026), with what they become. */
const ALL: readonly (readonly [string, string, RegExp])[] = [
  ["agent-inject", "true", /^mayfly\/inject$/],
  ["agent-inject", "1", /^mayfly\/inject$/],
  ["agent-inject", "yes", /^refused.*"true" or "false"/],
  ["agent-inject-status", "injected", /^refused.*as it was before/],
  ["agent-inject-status", "update", /^not-needed/],
  ["agent-inject-secret-db", "database/creds/readonly", /^mayfly\/template-db mayfly\/from-db$/],
  ["agent-inject-secret-db", " /database/creds/readonly\n", /^mayfly\/template-db/],
  ["agent-inject-secret-app", "secret/data/app", /^refused.*all keys of the secret/],
  ["agent-inject-secret-app", "database/static-creds/app", /^refused.*times of the rotation/],
  [
    "agent-inject-secret-no",
    "database/creds/unknown",
    /^refused: database\/creds\/unknown: no --map/,
  ],
  ["agent-inject-secret-", "database/creds/readonly", /^refused.*names no file/],
  ["agent-inject-template-file-db", "/t.tmpl", /^refused.*agent-inject-template-db$/],
  ["agent-inject-file-db", "x.env", /^mayfly\/file-db$/],
  ["agent-inject-file-db", "sub/x.env", /^refused.*folder/],
  ["agent-inject-perms-db", "0640", /^mayfly\/mode-db$/],
  ["agent-inject-command-db", "kill -HUP 1", /^refused.*mayfly\/command-db/],
  ["agent-inject-command-none", "true", /^not-needed.*Vault writes no file/],
  ["agent-template-left-delim-db", "[[", /^not-needed/],
  ["agent-template-right-delim-db", "]]", /^not-needed/],
  ["error-on-missing-key-db", "true", /^not-needed/],
  ["preserve-secret-case", "true", /^not-needed/],
  ["preserve-secret-case-db", "true", /^not-needed/],
  ["secret-volume-path", "/run/db/", /^mayfly\/path$/],
  ["secret-volume-path-db", "/vault/secrets", /^not-needed/],
  ["secret-volume-path-db", "/elsewhere", /^refused.*one volume, at \/vault\/secrets/],
  ["agent-inject-containers", "app,web", /^mayfly\/containers$/],
  ["agent-inject-default-template", "JSON", /^not-needed/],
  ["agent-inject-default-template", "yaml", /^refused.*"map" or "json"/],
  ["agent-inject-token", "true", /^refused.*no token/],
  ["agent-inject-token", "false", /^not-needed/],
  ["agent-image", "hashicorp/vault:1.21", /^not-needed/],
  ["agent-request-namespace", "shop", /^not-needed/],
  ["agent-init-first", "true", /^not-needed/],
  ["agent-pre-populate", "false", /^not-needed/],
  ["agent-pre-populate-only", "true", /^mayfly\/init-only$/],
  ["agent-pre-populate-only", "false", /^not-needed/],
  ["agent-configmap", "mine", /^refused.*moving-from-vault/],
  ["agent-extra-secret", "mine", /^refused/],
  ["agent-limits-cpu", "500m", /^mayfly\/resources$/],
  ["agent-limits-mem", "256Mi", /^mayfly\/resources$/],
  ["agent-limits-mem", "64Mi", /^refused.*"128Mi"/],
  ["agent-limits-mem", "64e6", /^refused.*"128Mi"/],
  ["agent-limits-mem", "6.4E7", /^refused.*"128Mi"/],
  ["agent-limits-mem", ".1Gi", /^refused.*"128Mi"/],
  ["agent-limits-mem", "-1", /^refused.*"128Mi"/],
  ["agent-limits-mem", "134217727", /^refused.*"128Mi"/],
  ["agent-limits-mem", "128e6u", /^mayfly\/resources$/],
  ["agent-limits-mem", "135e6", /^mayfly\/resources$/],
  ["agent-limits-mem", "1E", /^mayfly\/resources$/],
  ["agent-limits-mem", "1Ti", /^mayfly\/resources$/],
  ["agent-limits-mem", "", /^not-needed/],
  ["agent-limits-ephemeral", "1Gi", /^mayfly\/resources$/],
  ["agent-requests-cpu", "50m", /^mayfly\/resources$/],
  ["agent-requests-mem", "64Mi", /^mayfly\/resources$/],
  ["agent-requests-ephemeral", "1Gi", /^mayfly\/resources$/],
  ["agent-revoke-on-shutdown", "true", /^not-needed/],
  ["agent-revoke-grace", "5", /^not-needed/],
  ["namespace", "team", /^not-needed/],
  ["agent-run-as-user", "1001", /^mayfly\/user$/],
  ["agent-run-as-user", "0", /^refused.*root/],
  ["agent-run-as-group", "3000", /^mayfly\/user$/],
  ["agent-run-as-same-user", "true", /^refused.*runAsUser/],
  ["agent-run-as-same-user", "false", /^not-needed/],
  ["agent-share-process-namespace", "true", /^refused.*shareProcessNamespace: true/],
  ["agent-set-security-context", "true", /^not-needed/],
  ["agent-set-security-context", "false", /^mayfly\/user$/],
  ["agent-json-patch", "[{op: add}]", /^refused: it is no JSON \(Expected property name/],
  ["agent-service-account-token-volume-name", "token", /^not-needed/],
  ["service", "https://vault:8200", /^not-needed/],
  ["proxy-address", "http://proxy", /^not-needed/],
  ["tls-skip-verify", "true", /^not-needed/],
  ["tls-secret", "tls", /^not-needed/],
  ["tls-server-name", "vault", /^not-needed/],
  ["ca-cert", "/x", /^not-needed/],
  ["ca-key", "/x", /^not-needed/],
  ["client-cert", "/x", /^not-needed/],
  ["client-key", "/x", /^not-needed/],
  ["client-max-retries", "2", /^not-needed/],
  ["client-timeout", "60s", /^not-needed/],
  ["go-max-procs", "1", /^not-needed/],
  ["log-level", "debug", /^not-needed/],
  ["log-format", "json", /^not-needed/],
  ["role", "web", /^not-needed: the IAM role of the service account web says/],
  ["auth-type", "jwt", /^not-needed/],
  ["auth-path", "auth/jwt", /^not-needed/],
  ["auth-config-token-path", "/x", /^not-needed/],
  ["agent-cache-enable", "true", /^not-needed/],
  ["agent-cache-use-auto-auth-token", "force", /^refused.*loopback/],
  ["agent-cache-use-auto-auth-token", "false", /^not-needed/],
  ["agent-cache-listener-port", "8200", /^not-needed/],
  ["agent-cache-exit-on-err", "true", /^not-needed/],
  ["agent-copy-volume-mounts", "app", /^not-needed/],
  ["template-config-exit-on-retry-failure", "true", /^not-needed/],
  ["template-static-secret-render-interval", "5m", /^not-needed/],
  ["template-max-connections-per-host", "10", /^not-needed/],
  ["template-lease-renewal-threshold", "0.5", /^not-needed/],
  ["agent-enable-quit", "true", /^not-needed/],
  ["auth-min-backoff", "1s", /^not-needed/],
  ["auth-max-backoff", "5m", /^not-needed/],
  ["agent-disable-idle-connections", "caching", /^not-needed/],
  ["agent-disable-keep-alives", "caching", /^not-needed/],
  [
    "agent-json-patch",
    '[{"op":"replace","path":"/securityContext/seccompProfile","value":{"type":"RuntimeDefault"}}]',
    /^not-needed/,
  ],
  ["agent-json-patch", '[{"op":"replace","path":"/image","value":"x"}]', /^refused/],
  ["agent-json-patch", "no JSON", /^refused/],
  ["agent-init-json-patch", "", /^not-needed/],
  ["agent-auto-auth-exit-on-err", "true", /^not-needed/],
  ["agent-telemetry-prometheus_retention_time", "1h", /^not-needed/],
  ["agent-metrics-listener-port", "9000", /^not-needed/],
  ["agent-injekt-secret-db", "x", /^refused: this annotation of Vault's injector is not known/],
  ["constructor", "x", /^refused/],
];

test.each(ALL)("%s: %j", (name, value, words) => {
  expect(becameOf(name, value)).toMatch(words);
});

test("a secret without a template becomes the bytes that Vault writes", () => {
  expect(translated({}).added["mayfly/template-db"]).toBe(
    "password: {{password}}\nusername: {{username}}\n",
  );
  const json = translated({ "agent-inject-default-template": "json" });
  expect(json.added["mayfly/template-db"]).toBe(
    '{"password":{{json password}},"username":{{json username~}} }\n',
  );
});

test("files of one path have one login; each login has a port that no container has", () => {
  const { added, notes } = translated(
    {
      "agent-inject-secret-Other.TXT": "database/creds/readonly",
      "agent-inject-template-both": `{{ with secret "database/creds/owner" }}{{ .Data.username }}{{ end }}{{ with secret "secret/data/app" }}{{ .Data.data.password }}{{ end }}`,
    },
    { ports: new Set([5432]) },
  );
  expect(added).toEqual({
    "mayfly/inject": "true",
    "mayfly/path": "/vault/secrets",
    "mayfly/template-db": "password: {{password}}\nusername: {{username}}\n",
    "mayfly/from-db": "app--readonly",
    "mayfly/template-other.txt": "password: {{password}}\nusername: {{username}}\n",
    "mayfly/from-other.txt": "app--readonly",
    "mayfly/template-both": "{{[orders-owner].username}}{{[orders-app].password}}",
    "mayfly/from-both": "orders-owner,orders-app",
    "mayfly/lease-app--readonly": ARN,
    "mayfly/proxy-app--readonly": "5433",
    "mayfly/lease-orders-owner": "orders/owner",
    "mayfly/proxy-orders-owner": "5434",
    "mayfly/secret-orders-app": "orders/app",
    "mayfly/proxy-orders-app": "5435",
  });
  expect(notes[0]).toMatch(
    /database\/creds\/readonly; .*host 127\.0\.0\.1, port 5433, sslmode=disable/,
  );
});

test("without somebody to run it there is no proxy; on the host's network it is a socket", () => {
  const once = translated({ "agent-pre-populate-only": "true" });
  expect(once.added).toMatchObject({ "mayfly/init-only": "true" });
  expect(Object.keys(once.added)).not.toContain("mayfly/proxy-app--readonly");
  const host = translated({}, { hasHostNetwork: true });
  expect(host.added).toMatchObject({ "mayfly/proxy-app--readonly": "socket" });
});

test("the container's settings become Mayfly's", () => {
  const { added } = translated(
    {
      "agent-limits-cpu": "500m",
      "agent-limits-mem": "256Mi",
      "agent-requests-mem": "",
      "agent-run-as-same-user": "true",
      "agent-run-as-group": "2000",
      "agent-inject-containers": " app ",
      "secret-volume-path": "/run/db/",
    },
    { firstUser: "1007" },
  );
  expect(added).toMatchObject({
    "mayfly/resources": '{"limits":{"cpu":"500m","memory":"256Mi"}}',
    "mayfly/user": "1007:2000",
    "mayfly/containers": "app",
    "mayfly/path": "/run/db",
  });
  expect(translated({ "agent-run-as-user": "1001" }).added["mayfly/user"]).toBe("1001:1000");
});

test("the user's own annotations stand, and spare a template that cannot be translated", () => {
  const { added, lines } = translated({
    "agent-inject-template-db": "{{ range .Data }}{{ end }}",
    "mayfly/template-db": "{{username}}",
    "mayfly/from-db": "own",
    "mayfly/lease-own": ARN,
    "mayfly/path": "/own",
  });
  expect(added).toEqual({ "mayfly/inject": "true" });
  expect(lines.filter(({ became }) => became.kind === "refused")).toEqual([]);
});

test.each([
  ["agent-inject", "true", "inject", "true"],
  ["agent-inject-file-db", "x.env", "file-db", "y.env"],
  ["agent-inject-file-db", "sub/x.env", "file-db", "y.env"],
  ["agent-inject-perms-db", "0640", "mode-db", "0600"],
  ["agent-inject-command-db", "kill -HUP 1", "command-db", '["x"]'],
  ["secret-volume-path", "/run/db", "path", "/own"],
  ["agent-inject-containers", "app", "containers", "web"],
  ["agent-pre-populate-only", "true", "init-only", "false"],
  ["agent-limits-mem", "64Mi", "resources", "{}"],
  ["agent-run-as-user", "0", "user", "1000:1000"],
])("%s: %s is not said to be done where mayfly/%s stands", (name, value, own, standing) => {
  const { lines, added } = translated({ [name]: value, [`mayfly/${own}`]: standing });
  expect(lines.find(({ annotation }) => annotation === VAULT_PREFIX + name)?.became).toEqual({
    kind: "not-needed",
    why: `mayfly/${own} is there, and stands`,
  });
  expect(added).not.toHaveProperty([`mayfly/${own}`]);
});

test("of the two annotations of a file, the one that is added is told", () => {
  const { lines } = translated({ "mayfly/from-db": "app--readonly" });
  expect(lines.map(({ became }) => became)).toContainEqual({
    kind: "translated",
    into: ["mayfly/template-db"],
  });
});

test("notes tell the values that stand, and no port is given twice", () => {
  const { added, notes } = translated({
    "agent-inject-secret-owner": "database/creds/owner",
    "mayfly/lease-app--readonly": "orders/other",
    "mayfly/proxy-app--readonly": "5433",
    "mayfly/lease-mine": ARN,
    "mayfly/proxy-mine": " 5432 ",
    "mayfly/secrets-manager": "5434",
  });
  expect(notes).toEqual([
    "mayfly/lease-app--readonly is there: orders/other, for database/creds/readonly; mayfly/proxy-app--readonly is there: host 127.0.0.1, port 5433, sslmode=disable",
    "mayfly/lease-orders-owner: orders/owner, for database/creds/owner; mayfly/proxy-orders-owner: host 127.0.0.1, port 5435, sslmode=disable",
  ]);
  expect(added["mayfly/proxy-orders-owner"]).toBe("5435");
  const host = translated({ "mayfly/path": "/own" }, { hasHostNetwork: true });
  expect(host.notes[0]).toContain("a socket in /own/app--readonly");
  const once = translated({ "mayfly/init-only": "true" });
  expect(once.added).not.toHaveProperty(["mayfly/proxy-app--readonly"]);
  expect(once.notes[0]).not.toContain("proxy");
});

test("names that differ in case alone are one file's, unless the case is kept", () => {
  const both = {
    "agent-inject-secret-FOO": "database/creds/readonly",
    "agent-inject-secret-foo": "database/creds/owner",
  };
  const refused = translated(both).lines.filter(({ became }) => became.kind === "refused");
  expect(refused).toEqual([
    expect.objectContaining({
      annotation: `${VAULT_PREFIX}agent-inject-secret-foo`,
      became: {
        kind: "refused",
        why: `its file would be "foo", as that of ${VAULT_PREFIX}agent-inject-secret-FOO; write ${VAULT_PREFIX}preserve-secret-case: "true", or another name`,
      },
    }),
  ]);
  const { added } = translated({ ...both, "preserve-secret-case": "true" });
  expect(added).toMatchObject({
    "mayfly/from-FOO": "app--readonly",
    "mayfly/from-foo": "orders-owner",
  });
});

test("paths that no --map names are suggested so that a shell reads them", () => {
  expect(mapOptions(["database/creds/a", "secret/data/it's $(x)"])).toBe(
    `--map 'database/creds/a=<database>/<role>' --map 'secret/data/it'\\''s $(x)=<ARN of the secret>'`,
  );
});

test("a template is refused where it stands, with all that is wrong in it", () => {
  const { lines } = translated({
    "agent-inject-template-db": '{{ env "A" }}{{ .LeaseID }}',
  });
  expect(
    lines.filter(({ became }) => became.kind === "refused").map(({ position }) => position),
  ).toEqual([
    { line: 3, column: 2 },
    { line: 3, column: 15 },
  ]);
});

test("a pod that Vault would leave is left", () => {
  expect(translateVault(pod({ ...ONE, "agent-inject": "false" }), TARGETS)).toBeUndefined();
  const { "agent-inject": _none, ...without } = ONE;
  expect(translateVault(pod(without), TARGETS)).toBeUndefined();
  expect(becameOf("role", "web")).toMatch(/not-needed/);
  const nothing = translateVault(pod({ "agent-inject": "true" }), TARGETS);
  expect(nothing?.lines.map(({ became }) => became.kind)).toEqual(["refused"]);
});

test("paths without a target are told, each with its file", () => {
  const { unmapped } = translated({
    "agent-inject-secret-a": "db2/creds/a",
    "agent-inject-template-b": `{{ with secret "secret/data/b" }}{{ .Data.data.username }}{{ end }}`,
  });
  expect(unmapped.map(({ path, position }) => [path, position.line])).toEqual([
    ["db2/creds/a", 3],
    ["secret/data/b", 4],
  ]);
});

test.each([
  ["database/creds/a=orders/readonly", { kind: "lease", id: "orders/readonly" }],
  [`/database/creds/a/=${ARN}`, { kind: "lease", id: ARN }],
  ["database/static-creds/a=orders/app", { kind: "secret", id: "orders/app" }],
  ["database/creds/a=secret:orders/app", { kind: "secret", id: "orders/app" }],
  ["secret/data/a=name:orders/app", { kind: "secret", id: "name:orders/app" }],
  ["secret/data/a=lease:orders/readonly", { kind: "lease", id: "orders/readonly" }],
  [
    "database/creds/a=arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-AbCdEf",
    { kind: "secret", id: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-AbCdEf" },
  ],
])("--map %s", (written, target) => {
  expect([...parseTargets([written]).values()]).toEqual([target]);
});

test("what --map cannot be is told at once, each with the remedy", () => {
  const written = [
    "nothing",
    "=orders/readonly",
    "database/creds/a=Orders",
    "secret/data/a=spaces here",
    "database/creds/b=orders/a",
    "database/creds/b=orders/b",
  ];
  let thrown: unknown;
  try {
    parseTargets(written);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ConfigError);
  const lines = (thrown as ConfigError).message.split("\n");
  expect(lines.map((line) => line.replace(/^--map .*?: /, ""))).toEqual([
    "is no path and its target; write database/creds/readonly=orders/readonly",
    "is no path and its target; write database/creds/readonly=orders/readonly",
    "Orders is no lease; write its database/role, or the ARN of its alias",
    "spaces here is no secret; write its name or ARN in Secrets Manager",
    "database/creds/b leads to orders/a already; name it once",
  ]);
});
