import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AgentConfiguration } from "../../../client/agent/configuration.ts";
import { compileContent } from "../../../client/agent/files/content.ts";
import { parseConfiguration } from "../../../client/agent/parse-configuration.ts";
import { Secret } from "../../../core/secret.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { blocksOf, read } from "../../support/pages.ts";

const ALIAS = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:user-service--readonly";

/** Read a configuration, as the agent does. `template` is the text of every template. */
const parsed = (text: string, template = ""): AgentConfiguration =>
  parseConfiguration(JSON.parse(text), {
    environment: { MAYFLY_LEASE_ORDERS_READONLY: ALIAS },
    readTemplate: () => template,
  });

const login = {
  id: "1",
  username: "mf_qdoi_readonly_user-service_x",
  password: new Secret(`a "quoted" \\ word`),
  host: "orders.abc123.eu-west-1.rds.amazonaws.com",
  port: 5_432,
  dbname: "orders",
  tls: "verify-full",
} as const;

/** The block of a page in a language: there is one. */
function blockOf(page: string, language: string): string {
  const texts = blocksOf(page).filter((each) => each.language === language);
  expect(texts).toHaveLength(1);
  return texts[0]?.text ?? "";
}

test("the file of docs/moving-from-vault.md is what Vault Agent's template makes", async () => {
  const page = "docs/moving-from-vault.md";
  const { files } = parsed(blockOf(page, "json"), blockOf(page, "handlebars"));
  const [file] = files;
  expect(file).toMatchObject({ path: "/run/shop/database.yml", mode: 0o640 });
  if (file === undefined) throw new Error("no file");
  const render = await compileContent(file);
  expect(render([{ name: "orders/readonly", login }], () => "")).toBe(
    `production:
  host: orders.abc123.eu-west-1.rds.amazonaws.com
  username: mf_qdoi_readonly_user-service_x
  password: "a \\"quoted\\" \\\\ word"
`,
  );
});

test("examples/systemd/agent.json is a configuration, and its files are in the unit's folder", async () => {
  const { files, logins, stateFolder } = parsed(read("examples/systemd/agent.json"));
  expect(logins.map(({ proxy }) => proxy?.kind)).toEqual(["port"]);
  expect(stateFolder).toMatch(/^\/run\/mayfly\//);
  for (const file of files) {
    expect(file.path).toMatch(/^\/run\/mayfly\//);
    await compileContent(file);
  }
  expect(read("examples/systemd/mayfly-agent.service")).toContain("RuntimeDirectory=mayfly\n");
});

const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;

test.skipIf(!hasSystemd)("systemd finds nothing wrong with examples/systemd's unit", () => {
  const { path, remove } = tempFolder("unit");
  try {
    const unit = join(path, "mayfly-agent.service");
    // where Node is on this machine, since systemd looks for it
    const text = read("examples/systemd/mayfly-agent.service");
    writeFileSync(unit, text.replace("=/usr/bin/node ", `=${process.execPath} `));
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", unit], {
      encoding: "utf8",
    });
    expect({ status, said: `${stdout}${stderr}` }).toEqual({ status: 0, said: "" });
  } finally {
    remove();
  }
});
