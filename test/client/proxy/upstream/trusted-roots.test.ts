import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, rootCertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, describe, expect, test } from "vitest";
import {
  authoritiesOf,
  makeTrustedRoots,
  regionOfHost,
} from "../../../../client/proxy/upstream/trusted-roots.ts";

const folder = mkdtempSync(join(tmpdir(), "rds-ca-"));
writeFileSync(join(folder, "eu-west-1.pem"), "roots of eu-west-1");
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["orders.c1a2b3.eu-west-1.rds.amazonaws.com", "eu-west-1"],
  ["orders.cluster-ro-c1a2b3.ap-southeast-2.rds.amazonaws.com", "ap-southeast-2"],
  ["ORDERS.C1A2B3.EU-WEST-1.RDS.AMAZONAWS.COM", "eu-west-1"],
  ["orders.c1a2b3.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"],
  ["orders.c1a2b3.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"],
  ["orders.c1a2b3.eu-west-1.rds.amazonaws.com.example.com", undefined],
  ["eu-west-1.rds.amazonaws.com", undefined],
  ["db.example.com", undefined],
  ["10.0.0.5", undefined],
])("the Region of %s is %s", (host, region) => {
  expect(regionOfHost(host)).toBe(region);
});

describe("what is trusted", () => {
  const extra = getCACertificates("extra");
  const rds = "orders.c1a2b3.eu-west-1.rds.amazonaws.com";

  test("is RDS's roots of the host's Region", () => {
    expect(makeTrustedRoots({ rds: folder })(rds)).toEqual(["roots of eu-west-1", ...extra]);
  });

  test.each([rds, "db.example.com"])("is the configured authority alone, for %s", (host) => {
    const roots = makeTrustedRoots({ rds: folder, ca: "own" });
    expect(roots(host)).toEqual(["own", ...extra]);
  });

  test.each(["db.example.com", rds.replace("eu-west-1", "xx-north-9")])(
    "is what Node trusts, for %s",
    (host) => {
      expect(makeTrustedRoots({ rds: folder })(host)).toBeUndefined();
    },
  );

  test("is told to programs as this process trusts it: an authority that was added is in it", () => {
    const usual = getCACertificates("default");
    const [one = "", two = ""] = rootCertificates;
    setDefaultCACertificates([one, two]);
    try {
      const roots = makeTrustedRoots({ rds: folder });
      const told = authoritiesOf(roots, "db.example.com");
      expect(told).toBe(getCACertificates("default").join("\n"));
      expect(told.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
      expect(authoritiesOf(roots, rds)).toBe(["roots of eu-west-1", ...extra].join("\n"));
    } finally {
      setDefaultCACertificates(usual);
    }
  });

  test("is not RDS's if its file cannot be read for another reason than that there is none", () => {
    const roots = makeTrustedRoots({ rds: join(folder, "eu-west-1.pem") });
    expect(() => roots(rds)).toThrow("ENOTDIR");
  });
});
