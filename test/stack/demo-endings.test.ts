import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import shipped from "../../mayfly.config.ts";
import { demo, nothingLeft } from "../support/demo.ts";
import { eventually } from "../support/eventually.ts";

const other = tempFolder("demo-config");
afterAll(other.remove);

describe("the demo", () => {
  test("ended by SIGTERM stops all it started", async () => {
    const { child, output, ended } = demo();
    await eventually(() => output().includes("  renew "), { within: 60_000 });
    child.kill("SIGTERM");
    expect((await ended).status).toBe(130);
    await nothingLeft();
  });

  test("Ctrl-C during the start is no failure", async () => {
    const { child, output, ended } = demo();
    await eventually(() => output().includes("starting PostgreSQL"), { within: 60_000 });
    process.kill(-Number(child.pid), "SIGINT");
    expect((await ended).status).toBe(130);
    expect(output()).toMatch(/stopped\n$/);
    expect(output()).not.toMatch(/failed|Mayfly/);
    await nothingLeft();
  });

  test("needs the shipped configuration's roles, and says so", async () => {
    const { orders } = shipped.databases;
    const roles = { reader: orders?.roles.readonly };
    const consumers = Object.fromEntries(
      Object.entries(shipped.consumers).map(([name, consumer]) => [
        name,
        { ...consumer, roles: ["orders/reader"], secrets: undefined },
      ]),
    );
    const MAYFLY_CONFIG = join(other.path, "mayfly.config.ts");
    const config = { databases: { orders: { ...orders, roles, secrets: undefined } }, consumers };
    writeFileSync(MAYFLY_CONFIG, `export default ${JSON.stringify(config)};`);
    const { ended, output } = demo([], { ...process.env, MAYFLY_CONFIG });
    expect((await ended).status).toBe(1);
    expect(output()).toContain(
      "the demo failed: user-service may not call user-service--readonly: AccessDeniedException; the demo needs the stack of the shipped mayfly.config.ts\n",
    );
  });

  test.each<[string, Record<string, string>, number, string]>([
    ["a Region", {}, 64, "no Region: set AWS_REGION"],
    [
      "a Region with databases",
      { AWS_REGION: "eu-nowhere-9" },
      1,
      "Region eu-nowhere-9 has no RDS roots: there is no ",
    ],
    [
      "credentials",
      { AWS_REGION: "eu-west-1" },
      64,
      "Could not load credentials from any providers; set AWS_PROFILE or keys",
    ],
  ])("in an account needs %s", async (_, env, status, words) => {
    const { PATH } = process.env;
    const bare = { PATH, HOME: other.path, AWS_EC2_METADATA_DISABLED: "true", ...env };
    const { ended, output } = demo(["--stack", "Mayfly"], bare);
    expect((await ended).status).toBe(status);
    expect(output()).toContain(`the demo failed: ${words}`);
  });

  test("refuses arguments it does not know, and says what it knows", async () => {
    const { ended, output } = demo(["--fast"]);
    expect((await ended).status).toBe(64);
    expect(output()).toContain("Unknown option '--fast'");
    expect(output()).toContain("usage: npm run demo");
  });
});
