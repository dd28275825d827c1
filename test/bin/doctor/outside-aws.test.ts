import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type DoctorPorts,
  type Environment,
  type NearRequest,
  NoAnswer,
} from "../../../bin/doctor/doctor-ports.ts";
import { readEvidence } from "../../../bin/doctor/evidence/read-evidence.ts";
import { helperIn } from "../../../bin/doctor/identity/credential-helper.ts";
import { gatherIdentity, isElsewhere } from "../../../bin/doctor/identity/gather-identity.ts";
import { systemPorts } from "../../../bin/doctor/system-ports.ts";
import { GITHUB_ISSUER, GITLAB_ISSUER, gitLabSubject } from "../../../core/aws/trust/pipelines.ts";
import { webIdentityTrust } from "../../../core/aws/trust/web-identity.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import type { IdentityFacts } from "../../../core/doctor/identity/identity-facts.ts";
import { lookAtIdentity } from "../../../core/doctor/identity/look-at-identity.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { type BareServices, startServices } from "../../local/bare-services.ts";
import { makeCertificate } from "../../support/lying-server.ts";
import { mayflyHere } from "../../support/mayfly.ts";

/** Jobs of pipelines and machines with certificates, as the command sees them. */

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const tokenWith = (claims: object): string => `${part({ alg: "RS256" })}.${part(claims)}.c2lnbmVk`;

/** What the doctor gathers with no credentials at all. */
async function factsOf(
  env: Environment,
  more: Partial<DoctorPorts> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<IdentityFacts> {
  const ports: DoctorPorts = {
    env: { AWS_EC2_METADATA_DISABLED: "true", AWS_REGION: "eu-west-1", ...env },
    now: () => Date.parse("2026-11-30T12:00:00Z") as IdentityFacts["now"],
    readFile: (path) => Promise.reject(Object.assign(new Error(path), { code: "ENOENT" })),
    callerIdentity: async () => ({
      kind: "failed",
      name: "CredentialsProviderError",
      message: "Could not load credentials from any providers",
      isNetwork: false,
    }),
    request: () => Promise.reject(new NoAnswer("ECONNREFUSED", false)),
    home: "/home/me",
    ...more,
  };
  return gatherIdentity(ports, await readEvidence(new Map(Object.entries(files))), {});
}

const textOf = (findings: readonly Finding[], check: string): string =>
  findings
    .filter((each) => each.check === check)
    .map(
      ({ verdict, evidence, fix }) =>
        `${verdict} ${evidence} -> ${fix?.kind === "step" ? fix.text : ""}`,
    )
    .join("\n");

describe("a job of GitHub", () => {
  const ENV = { GITHUB_ACTIONS: "true", GITHUB_SERVER_URL: "https://github.com" };
  const MAY_ASK = {
    ...ENV,
    ACTIONS_ID_TOKEN_REQUEST_URL: "https://pipelines.example.com/token?api-version=2.0",
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: "who-may-ask",
  };
  const CLAIMS = {
    iss: GITHUB_ISSUER,
    sub: "repo:acme/orders:environment:production",
    aud: "sts.amazonaws.com",
    exp: Date.parse("2026-11-30T12:05:00Z") / 1_000,
  };

  test("is asked for a token by GitHub's own address, and nothing secret of it is kept", async () => {
    const asked: NearRequest[] = [];
    const token = tokenWith(CLAIMS);
    const facts = await factsOf(MAY_ASK, {
      request: async (request) => {
        asked.push(request);
        return { status: 200, body: JSON.stringify({ count: 1, value: token }) };
      },
    });
    expect(asked).toEqual([
      {
        url: "https://pipelines.example.com/token?api-version=2.0&audience=sts.amazonaws.com",
        method: "GET",
        headers: { Authorization: "Bearer who-may-ask" },
      },
    ]);
    expect(facts.token).toMatchObject({ kind: "claims", subject: CLAIMS.sub, isOwn: true });
    const findings = lookAtIdentity(facts);
    expect(textOf(findings, "job-token")).toMatch(/^ok has a token of https:.*production/);
    expect(JSON.stringify([facts, findings])).not.toMatch(/who-may-ask|c2lnbmVk/);
  });

  test("without the permission is told from one that GitHub does not answer", async () => {
    expect(textOf(lookAtIdentity(await factsOf(ENV)), "job-token")).toMatch(
      /^broken .*-> add permissions: \{ id-token: write/,
    );
    const silent = lookAtIdentity(await factsOf(MAY_ASK));
    expect(textOf(silent, "job-token")).toMatch(/^unknown .*\(ECONNREFUSED\)/);
    const refused = await factsOf(MAY_ASK, {
      request: async () => ({ status: 403, body: "who-may-ask?" }),
    });
    expect(refused.token).toEqual({ kind: "unreadable", code: "status 403" });
    const inked = await factsOf(
      { ...MAY_ASK, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "who-may-ask\n" },
      { request: systemPorts.request },
    );
    expect(inked.token).toEqual({ kind: "unreadable", code: "ERR_INVALID_CHAR" });
    const page = await factsOf(MAY_ASK, { request: async () => ({ status: 200, body: "<html>" }) });
    expect(page.token).toEqual({ kind: "unreadable", code: "MALFORMED" });
  });

  test("does not show who may ask for tokens to an address without TLS", async () => {
    let asked = 0;
    const facts = await factsOf(
      { ...MAY_ASK, ACTIONS_ID_TOKEN_REQUEST_URL: "http://pipelines.example.com/token" },
      {
        request: async () => {
          asked += 1;
          return { status: 200, body: "" };
        },
      },
    );
    expect(asked).toBe(0);
    expect(facts.token).toEqual({ kind: "unreadable", code: "no https" });
  });

  test("on a runner in a pod has the pod's role, if that is what it uses", async () => {
    const file = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
    const facts = await factsOf({
      ...ENV,
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
      AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/runner",
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
    });
    expect(facts.variables?.platform).toBe("kubernetes");
    expect(facts.job).toBeUndefined();
  });
});

test("a job on a runner in a pod that took its own role is healthy, whatever role the pod has", async () => {
  const role = "arn:aws:iam::111122223333:role/deploy";
  const sub = "repo:acme/orders:ref:refs/heads/main";
  const trust = webIdentityTrust(
    { partition: "aws", account: "111122223333" },
    { issuer: GITHUB_ISSUER, audience: "sts.amazonaws.com", subjects: [sub] },
  );
  const ofPod = {
    iss: "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
    sub: "system:serviceaccount:runners:runner",
    aud: "sts.amazonaws.com",
  };
  const facts = await factsOf(
    {
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
      AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/runner",
      AWS_WEB_IDENTITY_TOKEN_FILE: "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
      AWS_ACCESS_KEY_ID: "ASIAX",
      AWS_SECRET_ACCESS_KEY: "x",
      GITHUB_ACTIONS: "true",
      GITHUB_SERVER_URL: "https://github.com",
      ACTIONS_ID_TOKEN_REQUEST_URL: "https://pipelines.example.com/token",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "who-may-ask",
    },
    {
      readFile: async () => tokenWith(ofPod),
      callerIdentity: async () => ({
        kind: "caller",
        arn: "arn:aws:sts::111122223333:assumed-role/deploy/GitHubActions",
      }),
      request: async () => ({
        status: 200,
        body: JSON.stringify({
          value: tokenWith({ iss: GITHUB_ISSUER, sub, aud: "sts.amazonaws.com" }),
        }),
      }),
    },
    {
      "role.json": JSON.stringify({
        Role: { Arn: role, AssumeRolePolicyDocument: { Statement: [trust] } },
      }),
    },
  );
  const findings = lookAtIdentity({ ...facts, expected: { arn: role, from: "--role" } });
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  expect(facts).toMatchObject({ job: { pipeline: "github" }, token: { subject: sub } });
});

describe("a job of GitLab", () => {
  const ENV = { GITLAB_CI: "true", CI_SERVER_URL: "https://gitlab.example.com" };
  const CLAIMS = {
    iss: "https://gitlab.example.com",
    sub: "project_path:acme/orders:ref_type:branch:ref:main",
    aud: "https://gitlab.example.com",
  };

  test("has its token in a variable of any name; of several the policy's is looked at", async () => {
    const other = { ...CLAIMS, aud: "vault" };
    const env = {
      ...ENV,
      CI_JOB_JWT: tokenWith({ ...CLAIMS, iss: "gitlab.example.com" }),
      VAULT_TOKEN: tokenWith(other),
      MY_TOKEN: tokenWith(CLAIMS),
    };
    const role = {
      Role: {
        Arn: "arn:aws:iam::111122223333:role/user-service",
        AssumeRolePolicyDocument: {
          Statement: [
            webIdentityTrust(
              { partition: "aws", account: "111122223333" },
              { issuer: CLAIMS.iss, audience: CLAIMS.aud, subjects: [CLAIMS.sub] },
            ),
          ],
        },
      },
    };
    const facts = await factsOf(env, {}, { "role.json": JSON.stringify(role) });
    expect(facts.token).toMatchObject({ audiences: [CLAIMS.aud] });
    expect((await factsOf(env)).token).toMatchObject({ audiences: ["vault"] });
    const wrong = lookAtIdentity(facts).filter(({ verdict }) => verdict !== "ok");
    expect(wrong.map(({ check }) => check)).toEqual(["credential-source", "caller"]);
    expect(textOf(wrong, "credential-source")).toMatch(
      /-> set AWS_ROLE_ARN to arn:aws:iam::111122223333:role\/user-service, and AWS_WEB_IDENTITY/,
    );
  });

  test("without id_tokens is told", async () => {
    expect(textOf(lookAtIdentity(await factsOf(ENV)), "job-token")).toMatch(
      /^broken .*no variable has a token of https:\/\/gitlab\.example\.com.*-> add id_tokens/,
    );
  });
});

describe("a machine with AWS's credential helper", () => {
  const HELPER = {
    roleArn: "arn:aws:iam::111122223333:role/billing",
    profileArn: "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p",
    trustAnchorArn: "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/t",
    certificate: "/etc/my keys/machine.pem",
  };
  const LINE = `/opt/aws_signing_helper credential-process --certificate "${HELPER.certificate}" --private-key /etc/key.pem --trust-anchor-arn ${HELPER.trustAnchorArn} --profile-arn=${HELPER.profileArn} --role-arn '${HELPER.roleArn}'`;

  test.each<[string, string, object | undefined]>([
    ["with quotes and equal signs", LINE, HELPER],
    ["another program", "/usr/bin/other credential-process --role-arn x", undefined],
    ["the helper's other command", "aws_signing_helper serve --role-arn x", undefined],
    ["nothing", "", undefined],
  ])("credential_process is read: %s", (_, line, helper) => {
    expect(helperIn(line)).toEqual(helper);
  });

  test("its certificate is read, and never its key", async () => {
    const { cert } = await makeCertificate({
      from: new Date("2026-11-01T00:00:00Z"),
      to: new Date("2026-11-29T00:00:00Z"),
    });
    const read: string[] = [];
    const facts = await factsOf(
      { AWS_PROFILE: "billing" },
      {
        readFile: async (path) => {
          read.push(path);
          if (path.endsWith("config"))
            return `[default]\nregion = x\n[profile billing]\ncredential_process = ${LINE}\n`;
          if (path.endsWith("machine.pem")) return cert;
          throw Object.assign(new Error(path), { code: "ENOENT" });
        },
      },
    );
    expect(facts.helper).toEqual(HELPER);
    expect(textOf(lookAtIdentity(facts), "machine-certificate")).toMatch(
      /^broken it ended at 2026-11-29T00:00:00\.000Z/,
    );
    expect(read).not.toContain("/etc/key.pem");
  });

  test.each([
    ["keys", { AWS_ACCESS_KEY_ID: "ASIAX", AWS_SECRET_ACCESS_KEY: "x" }],
    ["another profile", { AWS_PROFILE: "other" }],
  ])(
    "what it does not get its credentials by is not looked at: %s stand before",
    async (_, env) => {
      const facts = await factsOf(env, {
        readFile: async (path) =>
          path.endsWith("config") ? `[default]\ncredential_process = ${LINE}\n` : "",
      });
      expect(facts.helper).toBeUndefined();
      expect(facts.certificate).toBeUndefined();
    },
  );

  test("a PIN in the name of a certificate is not printed", async () => {
    const line =
      "aws_signing_helper credential-process --certificate PKCS11:token=a;pin-value=4711";
    const facts = await factsOf(
      {},
      {
        readFile: async (path) => {
          if (path.endsWith("config")) return `[default]\ncredential_process = ${line}\n`;
          throw Object.assign(new Error(path), { code: "ENOENT" });
        },
      },
    );
    expect(facts.helper).toBeDefined();
    expect(JSON.stringify(lookAtIdentity(facts))).not.toContain("4711");
  });

  test("a certificate inside of a document is not taken for the document", async () => {
    const { cert } = await makeCertificate();
    const anchor = {
      trustAnchorArn: HELPER.trustAnchorArn,
      enabled: true,
      source: {
        sourceType: "CERTIFICATE_BUNDLE",
        sourceData: { x509CertificateData: cert },
      },
    };
    const pod = `kind: Pod\nmetadata: { name: p, namespace: shop }\nspec:\n  serviceAccountName: s\n  containers:\n  - name: app\n    env:\n    - name: CA\n      value: |\n${cert.replace(/^/gm, "        ")}\n`;
    const evidence = await readEvidence(
      new Map([
        ["anchor.json", JSON.stringify({ trustAnchor: anchor })],
        ["pod.yaml", pod],
        ["none.json", JSON.stringify({ trustAnchors: [] })],
      ]),
    );
    expect(evidence.certificate).toBeUndefined();
    expect(evidence.pod).toMatchObject({ name: "p" });
    expect(evidence.trustAnchors).toEqual([{ arn: HELPER.trustAnchorArn, isEnabled: true }]);
  });

  test("a certificate whose time is none is malformed", async () => {
    const { cert } = await makeCertificate({
      from: new Date("2026-11-01T00:00:00Z"),
      to: new Date("2026-12-01T00:00:00Z"),
    });
    const der = Buffer.from(cert.replace(/-----.*-----|\s/g, ""), "base64");
    const at = der.indexOf("261201000000Z");
    expect(at).toBeGreaterThan(0);
    der.write("269901000000Z", at);
    const pem = `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
    const { certificate } = await readEvidence(new Map([["machine.pem", pem]]));
    expect(certificate).toEqual({ kind: "unreadable", code: "MALFORMED" });
  });

  test("what aws rolesanywhere and openssl print is known by its shape", async () => {
    const { cert } = await makeCertificate();
    const { trustAnchors, anywhereProfiles, certificate } = await readEvidence(
      new Map([
        ["machine.pem", `subject=CN = x\n${cert}`],
        [
          "anchors.json",
          JSON.stringify({ trustAnchors: [{ trustAnchorArn: "a", enabled: false }] }),
        ],
        ["anchor.json", JSON.stringify({ trustAnchor: { trustAnchorArn: "b", enabled: true } })],
        ["again.json", JSON.stringify({ trustAnchor: { trustAnchorArn: "a", enabled: true } })],
        ["profile.json", JSON.stringify({ profile: { profileArn: "p", roleArns: ["r"] } })],
        ["profiles.json", JSON.stringify({ profiles: [{ profileArn: "q", enabled: false }] })],
        ["mapped.json", JSON.stringify({ profile: { profileArn: "m", attributeMappings: [] } })],
        [
          "usual.json",
          JSON.stringify({
            profile: {
              profileArn: "u",
              attributeMappings: ["x509Subject", "x509Issuer"].map((certificateField) => ({
                certificateField,
                mappingRules: [{ specifier: "*" }],
              })),
            },
          }),
        ],
      ]),
    );
    expect(certificate).toMatchObject({
      kind: "certificate",
      subject: { CN: [expect.stringMatching(/^test /)] },
    });
    expect(trustAnchors).toEqual([
      { arn: "a", isEnabled: true },
      { arn: "b", isEnabled: true },
    ]);
    expect(anywhereProfiles).toEqual([
      { arn: "u", isEnabled: true, roleArns: [] },
      { arn: "m", isEnabled: true, roleArns: [], hasOwnMapping: true },
      { arn: "q", isEnabled: false, roleArns: [] },
      { arn: "p", isEnabled: true, roleArns: ["r"] },
    ]);
  });
});

test.each([1e20, -1e20, Number.MAX_VALUE])("a token that ends at %d has no end", async (exp) => {
  const claims = { iss: GITLAB_ISSUER, sub: "x", aud: "a", exp };
  const evidence = await readEvidence(new Map([["token", tokenWith(claims)]]));
  const findings = lookAtIdentity({ ...evidence, now: 0 as IdentityFacts["now"] });
  expect(findings.map(({ check }) => check)).not.toContain("token-expiry");
});

test.each([
  ["its claims", JSON.stringify({ iss: GITLAB_ISSUER, sub: "x", aud: ["a"], azp: "y" })],
  ["the token", `${tokenWith({ iss: GITLAB_ISSUER, sub: "x", aud: "a", azp: "y" })}\n`],
])("a token from a file is another workload's: %s", async (_, text) => {
  const evidence = await readEvidence(new Map([["token", text]]));
  expect(evidence).toEqual({
    token: {
      kind: "claims",
      issuer: GITLAB_ISSUER,
      subject: "x",
      audiences: ["a"],
      authorizedParty: "y",
    },
  });
  expect(isElsewhere({}, evidence)).toBe(true);
  expect(isElsewhere({ GITHUB_ACTIONS: "true" }, evidence)).toBe(false);
});

describe("against services that answer as AWS does", () => {
  let services: BareServices;
  let folder: ReturnType<typeof tempFolder>;
  const ROLE = "arn:aws:iam::123456789012:role/deploy";
  const SUBJECT = gitLabSubject("acme/orders", { branch: "main" });
  const trust = webIdentityTrust(
    { partition: "aws", account: "123456789012" },
    { issuer: GITLAB_ISSUER, audience: GITLAB_ISSUER, subjects: [SUBJECT] },
  );

  beforeAll(async () => {
    folder = tempFolder("doctor-outside");
    services = await startServices();
    services.workloads.addProvider(GITLAB_ISSUER, [GITLAB_ISSUER]);
    await services.resources["AWS::IAM::Role"]?.create({
      logicalId: "deploy",
      type: "AWS::IAM::Role",
      properties: {
        RoleName: "deploy",
        AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [trust] },
      },
      physicalName: () => "deploy",
    });
  });
  afterAll(async () => {
    await services.stop();
    folder.remove();
  });

  async function doctor(sub: string, aud: string) {
    const token = await services.workloads.issuer(GITLAB_ISSUER).sign({ sub, aud });
    const files = { token: join(folder.path, "token"), role: join(folder.path, "role.json") };
    writeFileSync(files.token, token);
    writeFileSync(
      files.role,
      JSON.stringify({ Role: { Arn: ROLE, AssumeRolePolicyDocument: { Statement: [trust] } } }),
    );
    const { status, out, err } = await mayflyHere(
      ["doctor", "identity", "--json", "--from", files.role],
      {
        AWS_ENDPOINT_URL: services.config.endpoint,
        AWS_REGION: "eu-west-1",
        AWS_CONFIG_FILE: join(folder.path, "none"),
        AWS_SHARED_CREDENTIALS_FILE: join(folder.path, "none"),
        AWS_EC2_METADATA_DISABLED: "true",
        GITLAB_CI: "true",
        CI_SERVER_URL: GITLAB_ISSUER,
        AWS_ROLE_ARN: ROLE,
        AWS_WEB_IDENTITY_TOKEN_FILE: files.token,
      },
    );
    expect(out + err).not.toContain(token.split(".")[2]);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    const wrong = findings.filter(({ verdict }) => verdict !== "ok").map(({ check }) => check);
    return { status, findings, wrong };
  }

  test("a job of GitLab with its role is ok", async () => {
    expect(await doctor(SUBJECT, GITLAB_ISSUER)).toMatchObject({ status: 0, wrong: [] });
  });

  test("a job of another branch is told what its token has", async () => {
    const other = gitLabSubject("acme/orders", { branch: "next" });
    const { status, wrong, findings } = await doctor(other, GITLAB_ISSUER);
    expect(status).toBe(76);
    expect(wrong).toEqual(["caller", "trust-subject"]);
    expect(textOf(findings, "trust-subject")).toMatch(/the token has .*:ref:next: the job runs/);
  });
});
