import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const dist = join(import.meta.dirname, "..", "..", "dist");
const functions = [
  "issuer",
  "revoker",
  "sweeper",
  "operator",
  "provisioner",
  "seeder",
  "forwarder",
  "rotator",
  "user-service",
];

/** Those that install the verbs, or compare them, have their texts beside them. */
const installers = ["provisioner", "operator"];

test.each(functions)("%s is one bundle, without a source map", (name) => {
  const texts = installers.includes(name) ? ["verbs"] : [];
  expect(readdirSync(join(dist, name)).sort()).toEqual(["index.mjs", "rds-ca", ...texts]);
});

test("the provisioner carries the text of every verb as it stands in its file, and no other", () => {
  const [sources, carried] = [
    join(import.meta.dirname, "..", "..", "lambda", "postgres", "leases", "verbs"),
    join(dist, "provisioner", "verbs"),
  ];
  expect(readdirSync(carried).sort()).toEqual(readdirSync(sources).sort());
  for (const name of readdirSync(sources))
    expect(readFileSync(join(carried, name), "utf8")).toBe(
      readFileSync(join(sources, name), "utf8"),
    );
});

const regions = readdirSync(join(dist, "issuer", "rds-ca"));

test("functions and programs have the roots of the same Regions", () => {
  expect(regions.length).toBeGreaterThanOrEqual(27);
  expect(regions).toContain("eu-west-1.pem");
  expect(readdirSync(join(dist, "rds-ca"))).toEqual(regions);
  for (const region of regions)
    expect(readFileSync(join(dist, "rds-ca", region))).toEqual(
      readFileSync(join(dist, "issuer", "rds-ca", region)),
    );
  for (const name of functions) expect(readdirSync(join(dist, name, "rds-ca"))).toEqual(regions);
});

test.each(regions)("%s holds the Region's three current RDS roots", (file) => {
  const pem = readFileSync(join(dist, "issuer", "rds-ca", file), "utf8");
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const roots = blocks.map((block) => new X509Certificate(block));
  const region = file.replace(".pem", "");
  const names = new Set(roots.map(({ subject }) => /CN=(.*)/.exec(subject)?.[1]));
  const expected = ["ECC384", "RSA2048", "RSA4096"].map(
    (key) => `Amazon RDS ${region} Root CA ${key} G1`,
  );
  expect(names).toEqual(new Set(expected));
  for (const root of roots) {
    expect(root.checkIssued(root)).toBe(true);
    expect(Date.parse(root.validTo)).toBeGreaterThan(Date.now());
  }
});
