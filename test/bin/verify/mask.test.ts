import { expect, test } from "vitest";
import { makeMask } from "../../../bin/verify/mask.ts";

const mask = makeMask(
  new Map([
    ["mayflyshop-orderssandboxinstance-1xyz", "Instance"],
    ["mayflyshop-orderssandboxinstance-1xyz-replica", "Replica"],
    ["db.example.com", "host"],
    ["orders", "too short to be told from a word"],
  ]),
);

test.each([
  [
    "arn:aws:lambda:eu-west-1:123456789012:function:f:a--b",
    "arn:aws:lambda:eu-west-1:<account>:function:f:a--b",
  ],
  [
    "arn:aws:sts::123456789012:assumed-role/Admin/jane.doe@example.com is",
    "arn:aws:sts::<account>:assumed-role/Admin/<session> is",
  ],
  ["arn:aws:iam::123456789012:user/jane", "arn:aws:iam::<account>:user/<name>"],
  [
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db1/app-AbC4ef",
    "arn:aws:secretsmanager:eu-west-1:<account>:secret:db1/app-<suffix>",
  ],
  ["to x.cluster-abc.eu-west-1.rds.amazonaws.com:5432", "to <host>:5432"],
  ["db.example.com did not answer", "<host> did not answer"],
  ["mayflyshop-orderssandboxinstance-1xyz-replica", "<Replica>"],
  ["vpc-0123456789abcdef0 vpce-01234567 db-ABCDEFGHIJKLMNOPQRSTUVWXYZ", "<id> <id> <id>"],
  ["key AKIAIOSFODNN7EXAMPLE", "key <key>"],
  ["id 8f5e6a8e-0000-4000-8000-0123456789ab", "id <uuid>"],
  ["mf_qdoi_readonly_user-service_mzxw6ytbahabcdefghijkl gone", "<user> gone"],
  ["connect 10.0.1.23:5432 fd00:ec2::23", "connect <address>:5432 <address>"],
  [
    "role orders at 2026-11-29T23:57:55.123Z, 1764460675123 ms",
    "role orders at 2026-11-29T23:57:55.123Z, 1764460675123 ms",
  ],
])("%s", (text, masked) => {
  expect(mask(text)).toBe(masked);
});
